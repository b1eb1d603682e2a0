"""What plain moto lacks for a build, each gap with its reason. Everything else is moto as it is."""
import re
import time

FRONT = MACHINES = None
MADE = {}       # id -> when this cloud made it

UBUNTU = "099720109477"
AMIS = [("ami-785db401", "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-20170721", "2017-07-21"),
        ("ami-0f9cf087c1f27d9b1", "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-20181114", "2018-11-14"),
        ("ami-1e749f67", "ubuntu/images/hvm-ssd/ubuntu-trusty-14.04-amd64-server-20170727", "2017-07-27")]


def load():
    """Loads what takes long, and fixes the source images: moto's own list changes with its version."""
    import json
    import os
    import tempfile
    images = [{"ami_id": i, "state": "available", "public": True, "owner_id": UBUNTU, "name": n, "description": n,
               "image_location": f"{UBUNTU}/{n}", "sriov": "simple", "root_device_type": "ebs", "root_device_name": "/dev/sda1",
               "image_type": "machine", "platform": None, "architecture": "x86_64", "virtualization_type": "hvm",
               "hypervisor": "xen", "creation_date": f"{d}T12:00:00.000Z"} for i, n, d in AMIS]
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as f:
        json.dump(images, f)
    os.environ["MOTO_AMIS_PATH"] = f.name
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "testing")
    for service in ("ec2", "iam", "sts"):
        __import__(f"moto.{service}.responses")
    from moto.ec2.models import ec2_backends
    next(iter(ec2_backends["123456789012"]["us-east-1"].amis))
    os.unlink(f.name)
    warm_up()


def warm_up():
    """One call of each kind of answer: moto loads its service model at the first, which takes a fifth of a second."""
    from werkzeug.test import Client
    client = Client(application())
    signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=x"
    for action in ("DescribeImages&Owner.1=self", "DescribeInstances", "DescribeVpcs"):
        client.post("/", data=f"Action={action}&Version=2016-11-15", headers={"Authorization": signed, "Content-Type": "application/x-www-form-urlencoded"})


def application():
    from moto.server import DomainDispatcherApplication, create_backend_app
    return DomainDispatcherApplication(create_backend_app)


def install(front, machines):
    global FRONT, MACHINES
    FRONT, MACHINES = front, machines
    machines.faults = front.faults
    addresses()
    states()
    machine_life()
    images()
    client_tokens()
    profiles()


def without_what_moto_refuses(query):
    """moto answers MissingParameter to a block device that is no EBS volume (`NoDevice`, `VirtualName`): AWS takes it."""
    ebs = {m[1] for k, _ in query if (m := re.match(r"BlockDeviceMapping\.(\d+)\.Ebs\.", k))}
    return [(k, v) for k, v in query if not (m := re.match(r"BlockDeviceMapping\.(\d+)\.", k)) or m[1] in ebs]


def addresses():
    """moto makes addresses up; these machines can be reached."""
    from moto.ec2.models.instances import Instance

    def up(self):
        return self._state.name in ("pending", "running")

    Instance.public_ip_address = Instance.public_ip = property(lambda self: MACHINES.address(self.id) if up(self) else None)
    Instance.private_ip_address = Instance.private_ip = property(lambda self: MACHINES.address(self.id))
    Instance.public_dns_name = property(lambda self: MACHINES.address(self.id) if up(self) else None)


def states():
    """moto's machines change state at once; real ones take their time."""
    from moto.ec2.models import instances
    passing = {"running": ("pending", 0, "pending_s"), "stopped": ("stopping", 64, "stopping_s"),
               "terminated": ("shutting-down", 32, "terminating_s")}

    class State:
        def __init__(self, name="pending", code=0):
            self._name, self._code, self.since = name, code, time.time()

        def now(self):
            word, code, fault = passing.get(self._name, (None, None, None))
            if word and time.time() < self.since + FRONT.faults().get(fault, 0):
                return word, code
            return self._name, self._code

        name = property(lambda self: self.now()[0])
        code = property(lambda self: self.now()[1])

        @name.setter
        def name(self, value):
            if value != self._name:
                self._name, self.since = value, time.time()

        @code.setter
        def code(self, value):
            self._code = value

    instances.InstanceState = State


def machine_life():
    """A machine answers SSH, with the key that it was launched with, while it is up."""
    from moto.ec2.models.instances import Instance
    made, stopped, started, terminated = Instance.__init__, Instance.stop, Instance.start, Instance.terminate

    def delay():
        faults = FRONT.faults()
        return faults.get("pending_s", 0) + faults.get("boot_s", 0)

    def make(self, *args, **kwargs):
        made(self, *args, **kwargs)
        MADE[self.id] = time.time()
        key = self.ec2_backend.key_pairs.get(self.key_name)
        material = getattr(key, "material_public", b"") if key else b""
        material = material.decode() if isinstance(material, bytes) else material
        MACHINES.boot(self.id, material, delay())

    def stop(self, *args, **kwargs):
        MACHINES.halt(self.id)
        return stopped(self, *args, **kwargs)

    def start(self, *args, **kwargs):
        MACHINES.reboot(self.id, delay())
        return started(self, *args, **kwargs)

    def terminate(self, *args, **kwargs):
        MACHINES.halt(self.id)
        return terminated(self, *args, **kwargs)

    Instance.__init__, Instance.stop, Instance.start, Instance.terminate = make, stop, start, terminate


def images():
    """Images: AWS takes a name once, tags snapshots in CreateImage and copies with tags, takes time, and can fail."""
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models import ec2_backends
    from moto.ec2.models.amis import Ami, AmiBackend
    from moto.ec2.models.elastic_block_store import Snapshot
    from moto.ec2.responses.amis import AmisResponse

    def state(self):
        faults = FRONT.faults()
        if self.id in MADE and faults.get("image") == "stuck" or time.time() < MADE.get(self.id, 0) + faults.get("image_s", 0):
            return "pending"
        return "failed" if self.id in MADE and faults.get("image") == "failed" else self.__dict__["state"]

    Ami.state = property(state, lambda self, value: self.__dict__.__setitem__("state", value))
    Snapshot.progress = property(lambda self: f"{min(100, round(100 * (time.time() - MADE.get(self.id, 0)) / (FRONT.faults().get('image_s', 0) or 1e-6)))}%")

    def guarded(method, name_of):
        def call(self, *args, **kwargs):
            name = name_of(*args, **kwargs)
            if any(a.name == name and a.owner_id == self.account_id for a in self.amis.values()):
                raise EC2ClientError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by another AMI")
            specifications = kwargs.pop("tag_specifications", None)
            if specifications is not None and method is create:
                kwargs["tag_specifications"] = [s for s in specifications if s["ResourceType"] == "image"]
            image = method(self, *args, **kwargs)
            image.root_device_type = "ebs"
            for specification in specifications or []:
                if specification["ResourceType"] == "snapshot":
                    for tag in specification["Tags"]:
                        image.ebs_snapshot.add_tag(tag["Key"], tag["Value"])
            MADE[image.id] = time.time()
            if getattr(image, "ebs_snapshot", None):
                MADE[image.ebs_snapshot.id] = time.time()
            return image
        return call

    create, copy, register = AmiBackend.create_image, AmiBackend.copy_image, AmiBackend.register_image
    AmiBackend.create_image = guarded(create, lambda instance_id, name, *a, **k: name)
    AmiBackend.copy_image = guarded(copy, lambda source, region, name=None, *a, **k: name)
    AmiBackend.register_image = guarded(register, lambda name=None, *a, **k: name)
    copied = AmisResponse.copy_image

    def copy_with_tags(self):
        answer = copied(self)
        image = self.ec2_backend.amis[answer.result["ImageId"]]
        for specification in self._get_param("TagSpecifications", []):
            for tag in specification["Tags"]:
                target = image if specification["ResourceType"] == "image" else image.ebs_snapshot
                target.add_tag(tag["Key"], tag["Value"])
        return answer

    AmisResponse.copy_image = copy_with_tags
    assert ec2_backends


def client_tokens():
    """RunInstances with a token that was used before gives the instances of then; moto makes new ones."""
    from moto.ec2.responses.instances import InstanceResponse
    run, answers = InstanceResponse.run_instances, {}

    def run_once(self):
        token = self._get_param("ClientToken")
        if not token or token not in answers:
            answers[token] = run(self)
        return answers[token]

    InstanceResponse.run_instances = run_once


def profiles():
    """AWS answers NoSuchEntity where a role is to leave a profile that it is not in; moto breaks down."""
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import IAMBackend
    remove = IAMBackend.remove_role_from_instance_profile

    def remove_role(self, profile_name, role_name):
        try:
            return remove(self, profile_name, role_name)
        except ValueError:
            raise NotFoundException(f"Role {role_name} not found in instance profile {profile_name}.") from None

    IAMBackend.remove_role_from_instance_profile = remove_role


def power_off(identity):
    from moto.ec2.models import ec2_backends
    for account in list(ec2_backends):
        for backend in ec2_backends[account].values():
            if any(i.id == identity for i in backend.all_instances()):
                backend.stop_instances([identity])


def instance_profile(name):
    from moto.iam.models import iam_backends
    iam_backends["123456789012"]["aws"].create_instance_profile(name=name, path="/", role_names=[])


def mfa_device(name):
    """moto knows no user behind an access key that it did not make: everyone has this device."""
    from datetime import datetime
    from types import SimpleNamespace

    from moto.iam.models import IAMBackend
    device = SimpleNamespace(serial_number=f"arn:aws:iam::123456789012:mfa/{name}", enable_date=datetime(2026, 1, 1))
    IAMBackend.list_mfa_devices = lambda self, user_name: [device]


def tags(thing):
    return {t["key"]: t["value"] for t in thing.get_tags()}


def state():
    """All that exists beyond what moto comes with."""
    from moto.ec2.models import ec2_backends
    from moto.iam.models import iam_backends
    own = {i for i, _, _ in AMIS}
    found = {k: [] for k in ("instances", "key_pairs", "security_groups", "volumes", "images", "snapshots", "launch_templates",
                             "roles", "instance_profiles")}
    for account in list(ec2_backends):
        for region, backend in ec2_backends[account].items():
            where = {"region": region}
            found["instances"] += [{**where, "id": i.id, "state": i._state.name, "type": i.instance_type, "tags": tags(i)} for i in backend.all_instances()]
            found["key_pairs"] += [{**where, "id": n} for n in backend.key_pairs]
            found["security_groups"] += [{**where, "id": g.id, "name": g.name, "tags": tags(g)} for groups in backend.groups.values()
                                         for g in groups.values() if g.name != "default"]
            found["volumes"] += [{**where, "id": v.id} for v in backend.volumes.values()]
            found["images"] += [{**where, "id": a.id, "name": a.name, "state": a.state, "description": a.description, "tags": tags(a),
                                 "shared": sorted(str(p.get("UserId") or p.get("Group") or p) if isinstance(p, dict) else str(p) for p in a.launch_permissions)}
                                for a in backend.amis.values() if a.id not in own]
            base = {a.ebs_snapshot.id for a in backend.amis.values() if a.id in own}
            found["snapshots"] += [{**where, "id": s.id, "tags": tags(s)} for s in backend.snapshots.values() if s.id not in base]
            found["launch_templates"] += [{**where, "id": t} for t in getattr(backend, "launch_templates", {})]
    for account in list(iam_backends):
        for backend in iam_backends[account].values():
            found["roles"] += [{"id": r.name} for r in backend.roles.values()]
            found["instance_profiles"] += [{"id": p.name} for p in backend.instance_profiles.values()]
    return found
