"""The tools of all pictures: SVG, routes for edges, a time axis."""
