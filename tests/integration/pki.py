"""Certificates for tests, made by the openssl command: one CA, a server and a client certificate."""

import os
import subprocess

EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
SERVER_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"


def make(folder):
    """Writes ca.crt, server.crt, server.key, client.crt and client.key into folder, unless they are there."""
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(os.path.join(folder, "client.crt")):
        return
    _openssl(folder, "req", "-x509", *EC_KEY, "-days", "2", "-subj", "/CN=test-ca",
             "-keyout", "ca.key", "-out", "ca.crt")
    _sign(folder, "server", "/CN=localhost", SERVER_NAMES)
    _sign(folder, "client", "/O=system:masters/CN=test-client", "extendedKeyUsage=clientAuth")


def _sign(folder, name, subject, extension):
    extensions = os.path.join(folder, name + ".ext")
    with open(extensions, "w") as file:
        file.write(extension + "\n")
    _openssl(folder, "req", *EC_KEY, "-subj", subject, "-keyout", name + ".key", "-out", name + ".csr")
    _openssl(folder, "x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key",
             "-CAcreateserial", "-days", "2", "-out", name + ".crt", "-extfile", extensions)


def _openssl(folder, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")
