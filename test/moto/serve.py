"""Serves moto until standard input ends: with the test process, however that ended."""

import functools
import json
import os
import sys
import tempfile
import threading

import moto.backends
import moto.eks.utils
from moto.eks.models import EKSBackend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import main
from moto.utilities.utils import load_resource


def end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()

# By itself moto knows 1,200 images of ECS more, and for each a snapshot, which every
# list of snapshots then shows. It reads the file when the module is imported.
with tempfile.NamedTemporaryFile("w", suffix=".json") as images:
    json.dump(
        load_resource("ec2/resources/amis.json")
        + load_resource("ec2/resources/latest_amis/us-east-1.json"),
        images,
    )
    images.flush()
    os.environ["MOTO_AMIS_PATH"] = images.name
    from moto.ec2.models import EC2Backend

# What moto would look up anew: for each call the folders of its modules, and for each
# role of a cluster the endpoints of all of AWS.
modules = tuple(moto.backends.list_of_moto_modules())
moto.backends.list_of_moto_modules = lambda: modules
moto.eks.utils.Session = functools.cache(moto.eks.utils.Session)

# Asked for the node groups of a cluster that has gone meanwhile, moto fails, and AWS says
# so. https://docs.aws.amazon.com/eks/latest/APIReference/API_ListNodegroups.html
list_nodegroups = EKSBackend.list_nodegroups


def list_nodegroups_if_there(self, cluster_name, *args, **kwargs):
    self.describe_cluster(cluster_name)
    return list_nodegroups(self, cluster_name, *args, **kwargs)


EKSBackend.list_nodegroups = list_nodegroups_if_there

# moto cannot tag the snapshots that are made for an image, and AWS gives the same tags to all.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
create_image = EC2Backend.create_image


def create_image_and_tag(self, instance_id, name, description, tag_specifications):
    copies = [s for s in tag_specifications if s["ResourceType"] == "snapshot"]
    others = [s for s in tag_specifications if s not in copies]
    image = create_image(self, instance_id, name, description, others)
    for spec in copies:
        tags = {tag["Key"]: tag["Value"] for tag in spec["Tags"]}
        self.create_tags([image.ebs_snapshot.id], tags)
    return image


EC2Backend.create_image = create_image_and_tag

# Two calls at once find each other's work half done.
lock, call = threading.Lock(), DomainDispatcherApplication.__call__


def one_by_one(self, environ, start_response):
    with lock:
        return call(self, environ, start_response)


DomainDispatcherApplication.__call__ = one_by_one

main(["--host", "127.0.0.1", "--port", "0"])  # a free port, which it prints
