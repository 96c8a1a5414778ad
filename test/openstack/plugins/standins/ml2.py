"""ML2 mechanism driver that binds every port on any host, with no agent, at once ACTIVE."""
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class SimMechanismDriver(api.MechanismDriver):
    def initialize(self):
        pass

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        for segment in context.segments_to_bind:
            context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OVS,
                                {portbindings.CAP_PORT_FILTER: True},
                                status=constants.PORT_STATUS_ACTIVE)
            return

    def create_port_postcommit(self, context):
        # Router and LB ports are never bound to a host here; an L3 agent would activate them.
        port = context.current
        if port['device_owner'].startswith('network:') and port['status'] != 'ACTIVE':
            context._plugin.update_port_status(
                context._plugin_context, port['id'], constants.PORT_STATUS_ACTIVE)
