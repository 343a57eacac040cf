"""Every call of toxiproxy-python 0.1.1 against the server whose API listens at
the port given: what each returns or raises, and what a connection meets."""

import socket
import sys
import threading
import time

from toxiproxy import Proxy, Toxiproxy
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists


def echo():
    """The address of an upstream that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection):
        while data := connection.recv(4096):
            connection.sendall(data)
        connection.close()

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return "127.0.0.1:%d" % listener.getsockname()[1]


def round_trip(proxy):
    """How long a message takes through `proxy`, None if it does not come back."""
    host, port = proxy.listen.rsplit(":", 1)
    start = time.monotonic()
    try:
        with socket.create_connection((host, int(port)), timeout=20) as stream:
            stream.sendall(b"hello")
            if stream.recv(5) != b"hello":
                return None
    except ConnectionError:
        return None
    return time.monotonic() - start


def raises(kind, call):
    try:
        call()
    except kind:
        return True
    return False


def about_the_server(server, port):
    assert server.running()
    assert server.version().strip() == b'{"version": "2.12.0"}'
    server.update_api_consumer("127.0.0.1", 1)
    assert not server.running()
    assert server.version() is None
    server.update_api_consumer("127.0.0.1", port)


def about_proxies(server, upstream):
    assert server.proxies() == {}
    made = server.create(upstream=upstream, name="a")
    assert (made.name, made.upstream, made.enabled) == ("a", upstream, True)
    assert made.listen != "127.0.0.1:0", "the port it got"
    assert round_trip(made) is not None
    assert raises(ProxyExists, lambda: server.create(upstream=upstream, name="a"))
    off = server.create(upstream=upstream, name="b", listen="127.0.0.1:0", enabled=False)
    assert not off.enabled
    assert sorted(server.proxies()) == ["a", "b"]
    assert server.get_proxy("a").listen == made.listen
    assert server.get_proxy("c") is None

    made.disable()
    assert not made.enabled and not server.get_proxy("a").enabled
    assert round_trip(made) is None
    made.enable()
    assert made.enabled and round_trip(made) is not None
    with made.down():
        assert round_trip(made) is None
    assert round_trip(made) is not None

    same = {"name": "a", "upstream": upstream, "listen": made.listen}
    other = {"name": "c", "upstream": upstream, "listen": "127.0.0.1:0"}
    assert [proxy.name for proxy in server.populate([same, other])] == ["c"]
    moved = dict(same, upstream=echo())
    assert [proxy.upstream for proxy in server.populate([moved])] == [moved["upstream"]]
    assert round_trip(server.get_proxy("a")) is not None

    made.add_toxic(type="timeout")
    made.disable()
    assert server.reset()
    assert all(proxy.enabled for proxy in server.proxies().values())
    assert made.toxics() == {} and round_trip(made) is not None

    assert server.destroy(made) and server.get_proxy("a") is None
    assert round_trip(made) is None
    assert raises(NotFound, made.destroy)
    assert server.destroy("b") is False
    assert raises(NotFound, lambda: APIConsumer.get("/proxies/a"))
    server.destroy_all()
    assert server.proxies() == {}


def about_toxics(server, upstream):
    proxy = server.create(upstream=upstream, name="p")
    for kind, attributes in [
        ("latency", {"latency": 1, "jitter": 1}),
        ("bandwidth", {"rate": 1000}),
        ("slow_close", {"delay": 1}),
        ("timeout", {"timeout": 5000}),
        ("reset_peer", {"timeout": 5000}),
        ("slicer", {"average_size": 3, "size_variation": 1, "delay": 1}),
        ("limit_data", {"bytes": 1000}),
    ]:
        for stream in ["upstream", "downstream"]:
            proxy.add_toxic(type=kind, stream=stream, toxicity=0.5, attributes=attributes)
            toxic = proxy.get_toxic("%s_%s" % (kind, stream))
            assert (toxic.type, toxic.stream, toxic.toxicity) == (kind, stream, 0.5)
            assert toxic.attributes == attributes, toxic.attributes
    assert len(proxy.toxics()) == 14
    for name in proxy.toxics():
        assert proxy.destroy_toxic(name)
    assert proxy.toxics() == {} and proxy.get_toxic("latency_upstream") is None

    proxy.add_toxic(type="latency", name="slow", attributes={"latency": 300})
    toxic = proxy.get_toxic("slow")
    assert (toxic.stream, toxic.toxicity) == ("downstream", 1.0)
    assert round_trip(proxy) >= 0.3
    assert raises(ProxyExists, lambda: proxy.add_toxic(type="latency", name="slow"))
    assert raises(InvalidToxic, lambda: proxy.add_toxic(type="nope"))
    assert raises(InvalidToxic, lambda: proxy.add_toxic(type="noop", stream="sideways"))
    assert raises(InvalidToxic, lambda: proxy.add_toxic(type="bandwidth", attributes={"rate": -1}))
    assert raises(NotFound, lambda: proxy.destroy_toxic("nope"))
    assert list(proxy.toxics()) == ["slow"]
    assert proxy.destroy_toxic("slow")
    assert round_trip(proxy) < 0.3
    proxy.add_toxic(type="limit_data", attributes={"bytes": 0})
    assert round_trip(proxy) is None
    assert proxy.destroy()
    gone = Proxy(name="p", upstream=upstream, enabled=True, listen=proxy.listen)
    assert raises(NotFound, gone.toxics)


def main():
    port = int(sys.argv[1])
    server = Toxiproxy()
    server.update_api_consumer("127.0.0.1", port)
    upstream = echo()
    about_the_server(server, port)
    about_proxies(server, upstream)
    about_toxics(server, upstream)
    print("done")


main()
