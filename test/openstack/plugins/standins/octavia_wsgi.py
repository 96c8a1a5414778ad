"""octavia-api with a provider named "amphora" that needs no worker and no amphora.

The provider takes every call and, CLOUD_DELAY later, moves whatever is PENDING_* to where a
healthy amphora would have moved it.  The VIP port is a real neutron port.
"""
import logging
import os
import sys
import threading
import time

from octavia.api.drivers.amphora_driver.v2 import driver as amphora
from octavia.common import constants as c
from octavia.common import utils
from octavia.db import api as db_api
from octavia.db import models as m
from octavia_lib.api.drivers import exceptions as lib_exc
from octavia_lib.api.drivers import provider_base

DELAY = max(float(os.environ.get('CLOUD_DELAY', '0')), 0.1)
LOG = logging.getLogger(__name__)
_wake = threading.Event()
_started = threading.Lock()
_last = [0.0]                           # when the API last called us


def _settle():
    """One pass; returns how many rows are still pending."""
    session = db_api.get_session(autocommit=False)
    try:
        for model in (m.L7Rule, m.L7Policy, m.HealthMonitor, m.Member, m.Pool, m.Listener,
                      m.LoadBalancer):
            for row in session.query(model).filter(
                    model.provisioning_status.like('PENDING_%')):
                if row.provisioning_status != c.PENDING_DELETE:
                    row.provisioning_status = c.ACTIVE
                    row.operating_status = (
                        c.NO_MONITOR if model is m.Member else c.ONLINE)
                    continue
                quota = session.query(m.Quotas).get(row.project_id)
                field = {m.LoadBalancer: 'in_use_load_balancer', m.Listener: 'in_use_listener',
                         m.Pool: 'in_use_pool', m.Member: 'in_use_member',
                         m.HealthMonitor: 'in_use_health_monitor',
                         m.L7Policy: 'in_use_l7policy', m.L7Rule: 'in_use_l7rule'}[model]
                if quota and getattr(quota, field, None):
                    setattr(quota, field, getattr(quota, field) - 1)
                if model is not m.LoadBalancer:
                    session.delete(row)
                    continue
                for child in list(row.listeners) + list(row.pools):      # cascade delete
                    session.delete(child)
                row.provisioning_status = c.DELETED
                vip = row.vip
                if vip is not None and vip.octavia_owned and vip.port_id:
                    try:
                        utils.get_network_driver().neutron_client.delete_port(vip.port_id)
                    except Exception:
                        LOG.exception('vip port %s not deleted', vip.port_id)
        session.commit()
    finally:
        session.close()


def _loop():
    while True:
        wait = _last[0] + DELAY - time.monotonic()
        if wait > 0:                      # not yet: leave clients time to see PENDING_*
            time.sleep(wait)
            continue
        try:
            _settle()
        except Exception:
            LOG.exception('settle')
        _wake.wait(1)                     # also a slow poll: the API commits after our call
        _wake.clear()


def _kick(self, *args, **kwargs):
    _last[0] = time.monotonic()
    _wake.set()
    if _started.acquire(blocking=False):
        threading.Thread(target=_loop, daemon=True).start()


class SimProvider(provider_base.ProviderDriver):
    def create_vip_port(self, *args, **kwargs):
        raise lib_exc.NotImplementedError()          # octavia-api then asks neutron itself

    def get_supported_flavor_metadata(self):
        return {'loadbalancer_topology': 'SINGLE or ACTIVE_STANDBY'}

    def get_supported_availability_zone_metadata(self):
        return {'compute_zone': 'nova availability zone'}

    def validate_flavor(self, flavor_metadata):
        pass

    def validate_availability_zone(self, metadata):
        pass


for _obj in ('listener', 'pool', 'member', 'health_monitor', 'l7policy', 'l7rule'):
    for _verb in ('create', 'update', 'delete'):
        setattr(SimProvider, '%s_%s' % (_obj, _verb), _kick)
for _name in ('loadbalancer_create', 'loadbalancer_update', 'loadbalancer_delete',
              'loadbalancer_failover', 'member_batch_update'):
    setattr(SimProvider, _name, _kick)

amphora.AmphoraProviderDriver = SimProvider          # what the "amphora" entry point loads

from octavia.api import app  # noqa: E402
application = app.setup_app(argv=sys.argv)
