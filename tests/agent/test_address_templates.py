"""Command templates for the Virtual IP: how they are filled in, and how they fail. test_addresses.py runs real ones."""

import asyncio

import pytest
from switchover.drivers.errors import DriverError
from switchover.drivers.vip.address_templates import (
    NETSH,
    SUBINTERFACE,
    AddressCommands,
    AddressTemplate,
    TemplateAddresses,
    addresses_in,
    render,
)
from switchover.drivers.vip.addresses import parse_addresses

IPV4, IPV6 = "198.51.100.10/24", "2001:db8::10/64"


@pytest.mark.parametrize(
    ("commands", "address", "add", "remove", "show"),
    [
        (
            NETSH.ipv4,
            IPV4,
            "netsh interface ipv4 add address name=LAN address=198.51.100.10 mask=255.255.255.0"
            " store=active skipassource=true",
            "netsh interface ipv4 delete address name=LAN address=198.51.100.10 store=active",
            "netsh interface ipv4 show addresses name=LAN",
        ),
        (
            NETSH.ipv6,
            IPV6,
            "netsh interface ipv6 add address interface=LAN address=2001:db8::10/64 store=active skipassource=true",
            "netsh interface ipv6 delete address interface=LAN address=2001:db8::10 store=active",
            "netsh interface ipv6 show addresses interface=LAN",
        ),
        (
            SUBINTERFACE.ipv4,
            "198.51.100.10/20",
            "ifconfig LAN:2 198.51.100.10 netmask 255.255.240.0 up",
            "ifconfig LAN:2 down",
            "ifconfig -a",
        ),
        (
            SUBINTERFACE.ipv6,
            IPV6,
            "ifconfig LAN inet6 add 2001:db8::10/64",
            "ifconfig LAN inet6 del 2001:db8::10/64",
            "ifconfig -a",
        ),
    ],
)
def test_templates_are_filled_in(commands, address, add, remove, show):
    [parsed] = parse_addresses([address])
    assert render(commands, "LAN", parsed, 2) == AddressCommands(add.split(), remove.split(), show.split())


def test_an_argument_with_a_space_stays_one_argument():
    [parsed] = parse_addresses([IPV4])
    assert render(NETSH.ipv4, "Local Area Connection", parsed, 1).show[-1] == "name=Local Area Connection"


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("inet 198.51.100.10/24 brd 198.51.100.255", {"198.51.100.10", "198.51.100.255"}),
        ("          inet addr:198.51.100.10  Mask:255.255.255.0", {"198.51.100.10", "255.255.255.0"}),
        ("   IP Address:                           198.51.100.10", {"198.51.100.10"}),
        ("inet6 addr: 2001:0DB8:0::10/64 Scope:Global", {"2001:db8::10"}),
        ("Address 2001:db8::10%12 Parameters", {"2001:db8::10"}),
        ("ether 02:00:00:00:00:07 up 12:30:59, 1198.51.100.10 198.51.100.1000", set()),
    ],
)
def test_addresses_are_found_in_the_output_of_any_system(printed, expected):
    assert {str(address) for address in addresses_in(printed)} == expected


@pytest.mark.parametrize("bad", ["{}", "{0}", "{adress}", "{address.real}", "{address!r}", "{prefix:>3}", "{"])
def test_a_template_with_an_unknown_field_is_refused(bad):
    with pytest.raises(ValueError, match=r"field|'\{'"):
        AddressCommands(add=("ip", bad), remove=("true",), show=("true",))


def test_a_template_with_an_empty_command_is_refused():
    with pytest.raises(ValueError, match=r"the command to remove an address is empty"):
        AddressCommands(add=("true",), remove=(), show=("true",))


def test_a_template_without_ipv6_takes_no_ipv6_address():
    with pytest.raises(ValueError, match=r"2001:db8::10/64: the template has no commands for IPv6"):
        TemplateAddresses("eth0", [IPV4, IPV6], AddressTemplate(ipv4=SUBINTERFACE.ipv4))


@pytest.mark.parametrize(
    ("commands", "error"),
    [
        ({"show": ("sh", "-c", "echo no right to look; exit 2")}, "no right to look$"),
        ({"add": ("sh", "-c", "echo no right to add; exit 2")}, r"198.51.100.10/24 is not on eth0: no right to add$"),
        ({"add": ("sleep", "1000")}, "sleep 1000 did not end within 500 ms$"),
    ],
)
def test_the_error_of_a_failing_command_is_reported(commands, error):
    nothing = {"add": ("true",), "remove": ("true",), "show": ("true",)}
    template = AddressTemplate(AddressCommands(**{**nothing, **commands}))
    with pytest.raises(DriverError, match=error):
        asyncio.run(TemplateAddresses("eth0", [IPV4], template, deadline_ms=500).enable())


def test_a_template_that_does_not_remove_the_address_is_an_error():
    template = AddressTemplate(AddressCommands(("true",), ("true",), ("echo", "inet {address}/{prefix}")))
    with pytest.raises(DriverError, match=r"^198.51.100.10/24 is still on eth0: it printed nothing$"):
        asyncio.run(TemplateAddresses("eth0", [IPV4], template).disable())


def test_an_address_behind_thousands_of_others_is_found():
    """The output that lists addresses is not cut off at the length limit of other output."""
    template = AddressTemplate(AddressCommands(("true",), ("true",), ("sh", "-c", "seq 20000; echo {address}")))
    assert asyncio.run(TemplateAddresses("eth0", [IPV4], template).held())
