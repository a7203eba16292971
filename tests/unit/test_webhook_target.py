"""Which URLs and addresses a webhook may have."""

import re
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.webhooks import addresses, target
from server.webhooks.target import Policy, Refused

STRICT = Policy()
LAB = Policy((ip_network("10.1.0.0/16"), ip_network("fd00:1::/64")))

NOT_PUBLIC = re.findall(
    r"\S+",
    """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.1.2.3 169.254.169.254 172.16.0.1 172.31.255.255
192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.9 224.0.0.1 239.255.255.255
240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:a9fe:a9fe 64:ff9b::7f00:1
64:ff9b::808:808 64:ff9b:1::a00:1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:7f00:1::
2002:a00:1::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 2a00::5efe:10.0.0.1 2a00::200:5efe:7f00:1
""",
)
PUBLIC = re.findall(
    r"\S+",
    """
1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 192.169.0.1 198.17.0.1 198.20.0.1
223.255.255.255 2001:4860:4860::8888 2606:4700::1111 2a00:1450:4001::5 ::ffff:8.8.8.8
""",
)


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_it_is_not_public(text: str) -> None:
    objection = addresses.objection(addresses.read(text))
    assert objection is not None
    assert "is not public: " in objection


@pytest.mark.parametrize("text", PUBLIC)
def test_it_is_public(text: str) -> None:
    assert addresses.objection(addresses.read(text)) is None


@given(st.ip_addresses())
def test_whatever_python_knows_to_be_special_is_refused(address: addresses.Address) -> None:
    """Its lists are newer or older than ours, by version; where both speak, ours says no too."""
    address = addresses.read(str(address))
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert addresses.objection(address) is not None


def test_a_zone_is_no_address() -> None:
    with pytest.raises(ValueError, match="zone"):
        addresses.read("fe80::1%eth0")


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5"])
def test_what_the_operator_allows(text: str) -> None:
    address = addresses.read(text)
    assert addresses.objection(address, LAB.networks) is None
    assert addresses.objection(address) is not None


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://hooks.example.com", "hooks.example.com", "/"),
        ("https://Hooks.Example.COM:443/a?b=c&d", "hooks.example.com", "/a?b=c&d"),
        ("https://hooks.example.com.:8443/x", "hooks.example.com:8443", "/x"),
        ("https://bücher.example/ü?q=ü", "xn--bcher-kva.example", "/%C3%BC?q=%C3%BC"),
        ("https://8.8.8.8/", "8.8.8.8", "/"),
        ("https://[2606:4700::1111]:8443/", "[2606:4700::1111]:8443", "/"),
        ("https://[::ffff:8.8.8.8]/", "8.8.8.8", "/"),
    ],
)
def test_a_url_that_may_be(url: str, authority: str, path: str) -> None:
    read = target.read(url, STRICT)
    assert (read.authority, read.path) == (authority, path)


REFUSED = [
    ("", "absolute URL"),
    ("hooks.example.com", "absolute URL"),
    ("//hooks.example.com/", "absolute URL"),
    ("ftp://hooks.example.com/", "absolute URL"),
    ("file:///etc/passwd", "absolute URL"),
    ("gopher://hooks.example.com/", "absolute URL"),
    ("https://", "absolute URL"),
    ("https://:443/", "absolute URL"),
    ("http://hooks.example.com/", "http://"),
    ("https://hooks.example.com:22/", "port 22"),
    ("https://hooks.example.com:0/", "port 0"),
    ("https://hooks.example.com:99999/", "no URL"),
    ("https://user:pass@hooks.example.com/", "no user"),
    ("https://hooks.example.com@10.0.0.1/", "no user"),
    ("https://@hooks.example.com/", "no user"),
    ("https://hooks.example.com/#x", "fragment"),
    ("https://hooks.example.com/ x", "printable"),
    ("https://hooks.example.com/\r\nHost: evil", "printable"),
    ("https://hooks.example.com\\@10.0.0.1/", "printable"),
    ("https://" + "a" * 2000 + ".example/", "printable"),
    ("https://" + "a" * 64 + ".example/", "host name"),
    ("https://-a.example/", "host name"),
    ("https://a..example/", "host name"),
    ("https://localhost/", "this host"),
    ("https://LOCALHOST./", "this host"),
    ("https://x.localhost/", "this host"),
    ("https://127.0.0.1/", "loopback"),
    ("https://127.0.0.1./", "odd form"),
    ("https://2130706433/", "odd form"),
    ("https://0x7f000001/", "odd form"),
    ("https://0x7f.1/", "odd form"),
    ("https://127.1/", "odd form"),
    ("https://0177.0.0.1/", "odd form"),
    ("https://017700000001/", "odd form"),
    ("https://１２７.０.０.１/", "odd form"),
    ("https://①②⑦.0.0.1/", "odd form"),
    ("https://127。0。0。1/", "odd form"),
    ("https://%31%32%37.0.0.1/", "no address"),
    ("https://[::1]/", "loopback"),
    ("https://[::]/", "unspecified"),
    ("https://[::ffff:127.0.0.1]/", "loopback"),
    ("https://[::ffff:7f00:1]/", "loopback"),
    ("https://[64:ff9b::7f00:1]/", "NAT64"),
    ("https://[2002:7f00:1::]/", "6to4"),
    ("https://[fe80::1%25eth0]/", "no address|no URL"),
    ("https://[127.0.0.1]/", "no URL"),
    ("https://169.254.169.254/latest/meta-data/", "link-local"),
]


@pytest.mark.parametrize(("url", "why"), REFUSED)
def test_a_url_that_may_not_be(url: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        target.read(url, STRICT)


def test_an_allowed_network_may_have_http_and_any_port() -> None:
    assert target.read("http://10.1.2.3:9000/", LAB).authority == "10.1.2.3:9000"
    with pytest.raises(Refused, match="private"):
        target.read("http://10.2.2.3:9000/", LAB)
    with pytest.raises(Refused, match="http://"):
        target.read("http://8.8.8.8/", LAB)


def test_a_name_is_judged_by_what_it_resolves_to() -> None:
    read = target.read("http://lab.example:9000/", LAB)
    target.check(read, [addresses.read("10.1.2.3")], LAB)
    with pytest.raises(Refused, match="http://"):
        target.check(read, [addresses.read("8.8.8.8")], LAB)
    with pytest.raises(Refused, match="http://"):
        target.check(read, [addresses.read("10.1.2.3"), addresses.read("8.8.8.8")], LAB)


def test_one_bad_address_among_good_ones_is_enough() -> None:
    read = target.read("https://hooks.example.com/", STRICT)
    target.check(read, [addresses.read("8.8.8.8")], STRICT)
    with pytest.raises(Refused, match="loopback"):
        target.check(read, [addresses.read("8.8.8.8"), addresses.read("127.0.0.1")], STRICT)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://hooks.example.com/{text}"):
        try:
            read = target.read(url, STRICT)
        except Refused:
            continue
        assert read.authority.isascii()
        assert read.path.isascii()
