"""A receiver with nothing but the standard library: prints its port, writes one request to a file as JSON."""

import http.server
import json
import os
import sys


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with open(sys.argv[1] + ".part", "w") as file:
            json.dump([headers, body], file)
        os.rename(sys.argv[1] + ".part", sys.argv[1])
        self.send_response(204)
        self.end_headers()


server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
