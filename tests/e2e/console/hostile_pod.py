"""A pod with a server's label, so that its Service routes to it, with hostile answers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from dev.demo.kubectl import Cluster
from roadstead.api.group import LABEL_SERVER_UUID
from tests.e2e.gateway.site import values

NAME = "hostile"
MARK = "theirs"
PORT = 8080
PROGRAM = '''
import http.server

BODY = b"""<!doctype html><title>theirs</title><script>
fetch(location.pathname + "?ran"); document.cookie = "theirs=1; Path=/; Secure";
</script>"""
HEADERS = {
    "Set-Cookie": "__Host-roadstead-session=theirs; Path=/; Secure",
    "Clear-Site-Data": '"cookies", "storage"',
    "Service-Worker-Allowed": "/",
    "Content-Security-Policy": "script-src * 'unsafe-inline'",
}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers.get("Sec-Fetch-Dest"), flush=True)
        script = self.headers.get("Service-Worker") or "script" in self.path
        self.send_response(200)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/javascript" if script else "text/html")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    do_POST = do_GET

http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
'''


@contextmanager
def hostile_pod(cluster: Cluster, namespace: str, server_uuid: str) -> Iterator[None]:
    """Run a pod that is ready while the block runs."""
    image = values(cluster)["images"]["roadstead"]
    body = json.dumps(_pod(server_uuid, image))
    cluster.run("-n", namespace, "apply", "-f", "-", stdin=body)
    try:
        wait = ("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=120s")
        cluster.run("-n", namespace, *wait)
        yield
    finally:
        cluster.run("-n", namespace, "delete", "pod", NAME, "--grace-period=1")


def script_requests(cluster: Cluster, namespace: str) -> list[str]:
    """The requests that its page's script sent, from the pod's log."""
    lines = cluster.run("-n", namespace, "logs", f"pod/{NAME}").splitlines()
    return [line for line in lines if "?ran" in line]


def _pod(server_uuid: str, image: str) -> dict[str, object]:
    container = {
        "name": "server",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/python3", "-c", PROGRAM],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "labels": {LABEL_SERVER_UUID: server_uuid}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }
