"""The stock L3 plugin without its agent: an associated floating IP is ACTIVE at once."""
from neutron_lib import constants
from neutron.services.l3_router.l3_router_plugin import L3RouterPlugin


def _then_settle(method):
    def wrapped(self, context, *args, **kwargs):
        fip = method(self, context, *args, **kwargs)
        want = (constants.FLOATINGIP_STATUS_ACTIVE if fip.get('port_id')
                else constants.FLOATINGIP_STATUS_DOWN)
        if fip['status'] != want:
            self.update_floatingip_status(context, fip['id'], want)
            fip['status'] = want
        return fip
    return wrapped


L3RouterPlugin.create_floatingip = _then_settle(L3RouterPlugin.create_floatingip)
L3RouterPlugin.update_floatingip = _then_settle(L3RouterPlugin.update_floatingip)
