"""A gRPC service, and a client that calls it: real HTTP/2, real trailers.

    grpc_calls.py serve [--obey]              prints where it listens; with --obey each call ends with the code in its metadata
    grpc_calls.py call ADDRESS KIND CODE FIRST COUNT
                                        calls as the users FIRST .. FIRST + COUNT, and prints how each call ended

Kinds: `unary`, whose failure is headers alone; `stream`, which fails after two messages, in the trailers; `cancel`, a stream
that the client leaves after the first message.
"""

import json
import sys
import time
from concurrent import futures

import grpc

CODES = {code.value[0]: code for code in grpc.StatusCode}
RAW = dict(request_deserializer=None, response_serializer=None)


def serve(obey):
    def end(context):
        code = int(dict(context.invocation_metadata()).get("x-code", "0"))
        if obey and code:
            context.abort(CODES[code], "as asked")

    def unary(_request, context):
        end(context)
        return b"done"

    def stream(_request, context):
        yield b"1"
        yield b"2"
        end(context)

    def wait(_request, context):
        yield b"1"
        while context.is_active():
            time.sleep(0.05)

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("lab.Lab", {
        "unary": grpc.unary_unary_rpc_method_handler(unary, **RAW),
        "stream": grpc.unary_stream_rpc_method_handler(stream, **RAW),
        "cancel": grpc.unary_stream_rpc_method_handler(wait, **RAW),
    }),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listens on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


def call(address, kind, code, first, count):
    with grpc.insecure_channel(address) as channel:
        for user in range(first, first + count):
            metadata = (("x-user-id", f"user-{user}"), ("x-code", str(code)))
            try:
                if kind == "unary":
                    channel.unary_unary("/lab.Lab/unary")(b"", metadata=metadata, timeout=10)
                else:
                    answers = channel.unary_stream(f"/lab.Lab/{kind}")(b"", metadata=metadata, timeout=10)
                    for _ in answers:
                        if kind == "cancel":
                            answers.cancel()
                found = 0
            except grpc.RpcError as error:
                found = error.code().value[0]
            print(json.dumps({"user": user, "code": found}), flush=True)


if sys.argv[1] == "serve":
    serve("--obey" in sys.argv)
else:
    call(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:]))
