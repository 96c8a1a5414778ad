"""A volume backend that keeps no data: every operation succeeds."""
import io
import os
import time

from cinder import interface
from cinder.volume import driver

DELAY = float(os.environ.get('CLOUD_DELAY', '0'))


@interface.volumedriver
class SimVolumeDriver(driver.VolumeDriver):
    VERSION = '1.0'

    def check_for_setup_error(self):
        pass

    def _update_volume_stats(self):
        self._stats = {
            'volume_backend_name': self.configuration.safe_get('volume_backend_name'),
            'vendor_name': 'standins', 'driver_version': self.VERSION, 'storage_protocol': 'iSCSI',
            'total_capacity_gb': 'infinite', 'free_capacity_gb': 'infinite',
            'multiattach': True, 'online_extend_support': True, 'QoS_support': False}

    def create_volume(self, volume):
        time.sleep(DELAY)

    def create_volume_from_snapshot(self, volume, snapshot):
        time.sleep(DELAY)

    def create_cloned_volume(self, volume, src_vref):
        time.sleep(DELAY)

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        return {}, True               # "already cloned": skips download and qemu-img

    def copy_image_to_volume(self, context, volume, image_service, image_id, **kw):
        pass

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        image_service.update(context, image_meta['id'], {}, io.BytesIO(b'\0' * 4096))

    def delete_volume(self, volume):
        pass

    def extend_volume(self, volume, new_size):
        pass

    def create_snapshot(self, snapshot):
        time.sleep(DELAY)

    def delete_snapshot(self, snapshot):
        pass

    def revert_to_snapshot(self, context, volume, snapshot):
        pass

    def retype(self, context, volume, new_type, diff, host):
        return True

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector):
        return {'driver_volume_type': 'iscsi', 'data': {'volume_id': volume['id']}}

    def terminate_connection(self, volume, connector, **kwargs):
        pass
