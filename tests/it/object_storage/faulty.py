"""A way to an object store that throttles (503) and cuts connections: before a request is carried out, and after it was.

usage: faulty.py PORT OF-THE-STORE SEED SHARE [HEADER-THAT-IS-LOST]
"""

import http.client
import random
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, store, seed, share = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
chance = random.Random(seed)
lost = sys.argv[5:]
counts = {"passed": 0, "throttled": 0, "cut before": 0, "cut after": 0}


class Way(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.path == "/-/counts":
            return self.answer(200, str(counts).encode(), {})
        fault = chance.choice(["throttled", "cut before", "cut after"]) if chance.random() < share else "passed"
        counts[fault] += 1
        if fault == "throttled":
            return self.answer(503, b"<Error><Code>SlowDown</Code></Error>", {})
        if fault == "cut before":
            self.close_connection = True
            return self.connection.close()
        there = http.client.HTTPConnection("127.0.0.1", store)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in lost}
        there.request(self.command, self.path, body, kept)
        answer = there.getresponse()
        content = answer.read()
        if fault == "cut after":
            self.close_connection = True
            return self.connection.close()
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in ("connection", "transfer-encoding", "content-length")}
        if self.command == "HEAD":
            kept["Content-Length"] = answer.getheader("Content-Length") or "0"
        return self.answer(answer.status, content, kept)

    def answer(self, status, content, headers):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def handle_error(self, *_):
        pass


Server(("127.0.0.1", port), Way).serve_forever()
