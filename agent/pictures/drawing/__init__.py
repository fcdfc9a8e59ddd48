"""What every picture is drawn with: SVG, routes for edges, a time axis."""
