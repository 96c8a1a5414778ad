"""nova's own fake hypervisor, plus: boot delay, restart survival, snapshots with content."""
import io
import os
import time

from nova.compute import power_state, task_states, vm_states
from nova import context as nova_context
from nova.image import glance
from nova import objects
from nova.virt import fake

DELAY = float(os.environ.get('CLOUD_DELAY', '0'))


class SimDriver(fake.FakeDriver):
    def init_host(self, host):
        super().init_host(host)
        for inst in objects.InstanceList.get_by_host(nova_context.get_admin_context(), host):
            if inst.vm_state in (vm_states.BUILDING, vm_states.DELETED, vm_states.ERROR):
                continue
            state = (power_state.SHUTDOWN if inst.vm_state == vm_states.STOPPED
                     else power_state.RUNNING)
            self.instances[inst.uuid] = fake.FakeInstance(inst.name, state, inst.uuid)

    def spawn(self, *args, **kwargs):
        time.sleep(DELAY)
        super().spawn(*args, **kwargs)

    def snapshot(self, context, instance, image_id, update_task_state):
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        time.sleep(DELAY)
        update_task_state(task_state=task_states.IMAGE_UPLOADING,
                          expected_state=task_states.IMAGE_PENDING_UPLOAD)
        api = glance.API()
        meta = {'status': 'active', 'disk_format': 'raw', 'container_format': 'bare',
                'name': api.get(context, image_id)['name'], 'properties': {}}
        api.update(context, image_id, meta, io.BytesIO(b'\0' * 4096), purge_props=False)
