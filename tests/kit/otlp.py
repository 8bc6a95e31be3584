"""An OpenTelemetry collector's end: receives spans by OTLP over gRPC, prints each as a line of JSON.

The first line says where it listens. OpenTelemetry's own protobuf classes decode what arrives.
"""

import json
from concurrent import futures

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service


def plain(attributes):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


class Receiver(service.TraceServiceServicer):
    def Export(self, request, context):
        for part in request.resource_spans:
            for scope in part.scope_spans:
                for span in scope.spans:
                    print(json.dumps({
                        "service": plain(part.resource.attributes).get("service.name"),
                        "name": span.name,
                        "trace": span.trace_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "tags": plain(span.attributes),
                    }), flush=True)
        return messages.ExportTraceServiceResponse()


server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
service.add_TraceServiceServicer_to_server(Receiver(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"listens on 127.0.0.1:{port}", flush=True)
server.wait_for_termination()
