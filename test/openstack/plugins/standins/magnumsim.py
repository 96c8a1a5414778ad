"""Magnum's k8s_fedora_coreos_v1 driver without heat: statuses complete CLOUD_DELAY later."""
import os
import uuid

import eventlet

from magnum.common import context as magnum_context
from magnum.drivers.common import driver
from magnum.drivers.k8s_fedora_coreos_v1 import driver as coreos
from magnum import objects

DELAY = max(float(os.environ.get('CLOUD_DELAY', '0')), 0.1)


def _addresses(n, base):
    return ['10.0.%d.%d' % (base, 10 + i) for i in range(n)]


def _finish(cluster_uuid, word, version):
    ctx = magnum_context.make_admin_context(all_tenants=True)
    cluster = objects.Cluster.get_by_uuid(ctx, cluster_uuid)
    groups = list(cluster.nodegroups)
    if word == 'DELETE':
        for group in groups:
            group.destroy()
        cluster.destroy()
        return
    for group in groups:
        if group.status == 'DELETE_IN_PROGRESS':
            group.destroy()
            continue
        group.status = ('CREATE' if group.status == 'CREATE_IN_PROGRESS' else word) + '_COMPLETE'
        group.node_addresses = _addresses(group.node_count, 1 if group.role == 'master' else 2)
        group.save()
    cluster.status = word + '_COMPLETE'
    cluster.status_reason = None
    cluster.api_address = 'https://127.0.0.1:6443'
    cluster.coe_version = version or cluster.coe_version or (cluster.labels or {}).get('kube_tag', 'v1.23.8')
    cluster.health_status = 'HEALTHY'
    cluster.save()


def _later(cluster, word, version=None):
    cluster.status = word + '_IN_PROGRESS'
    eventlet.spawn_after(DELAY, _finish, cluster.uuid, word, version)


class SimDriver(driver.Driver):
    @property
    def provides(self):
        return [{'server_type': 'vm', 'os': 'fedora-coreos', 'coe': 'kubernetes'}]

    def create_cluster(self, context, cluster, cluster_create_timeout):
        cluster.stack_id = str(uuid.uuid4())
        for group in cluster.nodegroups:
            group.status = 'CREATE_IN_PROGRESS'
            group.save()
        _later(cluster, 'CREATE')

    def update_cluster(self, context, cluster, *args, **kwargs):
        _later(cluster, 'UPDATE')

    def resize_cluster(self, context, cluster, resize_manager, node_count, nodes_to_remove,
                       nodegroup=None):
        _later(cluster, 'UPDATE')

    def upgrade_cluster(self, context, cluster, cluster_template, *args, **kwargs):
        cluster.cluster_template_id = cluster_template.uuid      # as the real one does
        # The real one gives the tag to heat, and reads the version from there when that is done.
        _later(cluster, 'UPDATE', cluster_template.labels.get('kube_tag'))

    def delete_cluster(self, context, cluster):
        _later(cluster, 'DELETE')

    def create_nodegroup(self, context, cluster, nodegroup):
        nodegroup.stack_id = str(uuid.uuid4())
        nodegroup.status = 'CREATE_IN_PROGRESS'
        nodegroup.save()
        _later(cluster, 'UPDATE')

    def update_nodegroup(self, context, cluster, nodegroup):
        _later(cluster, 'UPDATE')

    def delete_nodegroup(self, context, cluster, nodegroup):
        nodegroup.status = 'DELETE_IN_PROGRESS'
        nodegroup.save()
        _later(cluster, 'UPDATE')

    def update_cluster_status(self, context, cluster, use_admin_ctx=False):
        pass

    def pre_delete_cluster(self, context, cluster):
        pass

    def create_federation(self, context, federation):
        raise NotImplementedError()

    update_federation = delete_federation = create_federation

    def get_monitor(self, context, cluster):
        return None

    def get_scale_manager(self, context, osclient, cluster):
        return None


coreos.Driver = SimDriver
