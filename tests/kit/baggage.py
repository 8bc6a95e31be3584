"""A service that reads its variant from the baggage, with OpenTelemetry, and answers with all that it read."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        # What the instrumentation of a web framework does.
        context = W3CBaggagePropagator().extract(dict(self.headers))
        variant = baggage.get_baggage("split.checkout", context)
        body = json.dumps({"variant": variant, "all": dict(baggage.get_all(context))}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(f"listens on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
