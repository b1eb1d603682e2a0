"""The HTTP face: writes calls down, injects faults, hands the rest to moto.

Faults come from DIR/faults.json, read anew at every call:
    latency_ms                          added to every call
    pending_s, boot_s, stopping_s, terminating_s, image_s
                                        how long a state takes; boot_s is from running to a listening sshd
    image                               "stuck": images stay pending; "failed": they fail
    throttle_every                      each n-th call is refused with RequestLimitExceeded
    refuse                              [{"action", "nth" (1), "count" (1), "code", "message", "status" (400)}]
    unseen                              how many Describe calls do not know a new instance or image yet
    drop_ssh                            how many connections to each machine are closed at once

Control: GET /_test/state, POST /_test/stop?id=I (the guest powers off), /_test/cut?id=I (its connections break),
/_test/reboot?id=I&down=S,
/_test/profile?name=N (an instance profile exists), /_test/mfa?name=N (the user has an MFA device).
"""
import io
import json
import os
import re
import threading
import time
import urllib.parse

import credentials
import gaps


class Front:
    def __init__(self, directory, machines):
        self.dir, self.machines = directory, machines
        self.lock, self.moto_lock = threading.Lock(), threading.Lock()
        self.calls, self.counts, self.seen = 0, {}, {}
        self.log = open(os.path.join(directory, "calls.jsonl"), "a", buffering=1)
        self.moto = gaps.application()

    def faults(self):
        try:
            with open(os.path.join(self.dir, "faults.json")) as f:
                return json.load(f)
        except FileNotFoundError:
            return {}

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        path = environ.get("PATH_INFO", "/")
        if path.startswith("/_test/"):
            answer = json.dumps(self.control(path[7:], environ)).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
            return [answer]
        headers = {k[5:].replace("_", "-").title(): v for k, v in environ.items() if k.startswith("HTTP_")}
        given = credentials.answer(environ["REQUEST_METHOD"], path, headers)
        if given:
            self.log.write(json.dumps({"action": path, "fields": headers, "status": given[0]}) + "\n")
            start_response(f"{given[0]} -", [("Content-Type", "application/json"), ("Content-Length", str(len(given[1]))),
                                             ("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")])
            return [given[1].encode()]
        query = urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        fields = dict(query)
        action = fields.pop("Action", path)
        scope = re.search(r"Credential=([^/]*)/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        key, region, service = scope.groups() if scope else ("", "us-east-1", "sts")
        faults = self.faults()
        time.sleep(faults.get("latency_ms", 0) / 1000)
        with self.lock:
            self.calls += 1
            self.counts[action] = nth = self.counts.get(action, 0) + 1
            call = self.calls
        refused = self.refusal(faults, action, fields, call, nth)
        if refused:
            status, code, message = refused
            headers, out = [("Content-Type", "text/xml")], error_body(service, code, message)
        else:
            body = urllib.parse.urlencode(gaps.without_what_moto_refuses(query)).encode()
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
            status, headers, out = self.ask_moto(environ)
        self.log.write(json.dumps({"n": call, "at": time.time(), "region": region, "key": key, "action": action, "fields": fields,
                                   "status": status, "refused": bool(refused)}) + "\n")
        headers = [h for h in headers if h[0].lower() not in ("content-length", "connection")]
        start_response(f"{status} -", [*headers, ("Content-Length", str(len(out)))])
        return [out]

    def ask_moto(self, environ):
        answer = []
        with self.moto_lock:        # moto's state is not made for threads
            out = b"".join(self.moto(environ, lambda status, headers, _=None: answer.extend([int(status.split()[0]), headers])))
        return answer[0], answer[1], out

    def refusal(self, faults, action, fields, call, nth):
        every = faults.get("throttle_every")
        if every and call % every == 0:
            return 503, "RequestLimitExceeded", "Request limit exceeded."
        for rule in faults.get("refuse", []):
            first = rule.get("nth", 1)
            if rule["action"] == action and first <= nth < first + rule.get("count", 1):
                return rule.get("status", 400), rule["code"], rule.get("message", "refused by the test")
        return self.not_yet(faults.get("unseen", 0), action, fields)

    def not_yet(self, unseen, action, fields):
        """Eventual consistency: what was just made is not known for a while."""
        kinds = {"DescribeInstances": ("InstanceId.", "InvalidInstanceID.NotFound"), "DescribeImages": ("ImageId.", "InvalidAMIID.NotFound"),
                 "CreateTags": ("ResourceId.", "InvalidAMIID.NotFound")}
        prefix, code = kinds.get(action, (None, None))
        if not unseen or not prefix:
            return None
        for key, identity in fields.items():
            if key.startswith(prefix) and identity in gaps.MADE:
                with self.lock:
                    self.seen[action, identity] = count = self.seen.get((action, identity), 0) + 1
                if count <= unseen:
                    return 400, code, f"The ID '{identity}' does not exist"
        return None

    def control(self, what, environ):
        query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", "")))
        with self.moto_lock:
            if what == "state":
                return gaps.state()
            if what == "stop":
                gaps.power_off(query["id"])
            elif what == "profile":
                gaps.instance_profile(query["name"])
            elif what == "mfa":
                gaps.mfa_device(query["name"])
            elif what == "cut":
                self.machines.cut(query["id"])
            elif what == "reboot":
                self.machines.reboot(query["id"], float(query.get("down", "0.5")))
        return {}


def error_body(service, code, message):
    if service != "ec2":
        return (f'<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>'
                "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>").encode()
    return (f'<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>'
            "</Error></Errors><RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>").encode()
