"""Where machines and people get credentials from: an instance's metadata, a container's agent, the portal of SSO.

Each kind gives keys of its own, so that calls.jsonl tells by their access key where credentials came from.
"""
import json
import time

HOUR = 3600


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def keys(name):
    return {"AccessKeyId": "AKID" + name, "SecretAccessKey": "secret-of-" + name, "Token": "token-of-" + name,
            "Expiration": stamp(6 * HOUR)}


def answer(method, path, headers):
    """Status and text; None: it is none of these services."""
    if method == "PUT" and path == "/latest/api/token":
        return 200, "metadata-token"
    if path.startswith("/latest/"):
        if headers.get("X-Aws-Ec2-Metadata-Token") != "metadata-token":
            return 401, ""
        if path.rstrip("/").endswith("/security-credentials"):
            return 200, "build-role"
        if path.endswith("/security-credentials/build-role"):
            return 200, json.dumps({"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": stamp(0), **keys("INSTANCE")})
        return 404, ""
    if path == "/container/credentials":
        if headers.get("Authorization") != "pod-token":
            return 403, json.dumps({"code": "AccessDenied", "message": "wrong token"})
        return 200, json.dumps(keys("CONTAINER"))
    if path == "/federation/credentials":
        if headers.get("X-Amz-Sso-Bearer-Token") != "sso-token":
            return 401, json.dumps({"message": "Session token not found or invalid"})
        role = {"accessKeyId": "AKIDSSO", "secretAccessKey": "secret-of-SSO", "sessionToken": "token-of-SSO",
                "expiration": int(1000 * (time.time() + 6 * HOUR))}
        return 200, json.dumps({"roleCredentials": role})
    return None


def certificates(directory):
    """An authority and a server's certificate for this host: gives certificate and key file; the authority is DIR/ca.pem."""
    import datetime
    import ipaddress
    import os

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID
    now = datetime.datetime.now(datetime.timezone.utc)
    name = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(subject, key, issuer, issuer_key, *extensions):
        made = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        made = made.not_valid_after(now + datetime.timedelta(days=2))
        for extension, critical in extensions:
            made = made.add_extension(extension, critical)
        return made.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    files = {"ca.pem": certificate("kiln tests", authority, "kiln tests", authority, (x509.BasicConstraints(True, None), True)),
             "server.pem": certificate("localhost", server, "kiln tests", authority, (names, False)),
             "server.key": server.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                serialization.NoEncryption())}
    for file, content in files.items():
        with open(os.path.join(directory, file), "wb") as f:
            f.write(content)
    return os.path.join(directory, "server.pem"), os.path.join(directory, "server.key")
