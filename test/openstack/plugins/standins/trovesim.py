"""trove-api and trove-taskmanager in one process, with the database guests in it as well."""
import os

import eventlet

from trove.cmd.common import with_initialize
from trove.guestagent import api
from trove.instance import models
from trove.instance import service_status

DELAY = float(os.environ.get('CLOUD_DELAY', '0'))
_guests = {}


class Guest(object):
    def __init__(self, id):
        self.id, self.dbs, self.users, self.root, self.state = id, {}, {}, None, None

    def __getattr__(self, name):           # restart, stop_db, resize_fs, mount_volume, ...
        if name.startswith('_'):
            raise AttributeError(name)
        return lambda **kw: None

    def _status(self, status):
        self.state = status
        self._report()

    def _report(self):                     # the agent's heartbeat
        row = models.InstanceServiceStatus.find_by(instance_id=self.id)
        if row.get_status() not in (self.state, service_status.ServiceStatuses.DELETED):
            row.set_status(self.state)
            row.save()

    def prepare(self, databases=None, users=None, root_password=None, **kw):
        self.create_database(databases or [])
        self.create_user(users or [])
        self.root = root_password
        eventlet.spawn_after(DELAY, self._status, service_status.ServiceStatuses.HEALTHY)

    def _back(self, **kw):
        self._status(service_status.ServiceStatuses.HEALTHY)

    restart = start_db_with_conf_changes = rebuild = _back

    def stop_db(self, **kw):
        self._status(service_status.ServiceStatuses.SHUTDOWN)

    def create_database(self, databases):
        for db in databases:
            self.dbs[db['_name']] = db

    def delete_database(self, database):
        self.dbs.pop(database['_name'], None)

    @staticmethod
    def _page(items, limit=None, marker=None, include_marker=False):
        names = sorted(items)
        if marker is not None:
            names = [n for n in names if n > marker or (include_marker and n == marker)]
        more = limit is not None and len(names) > int(limit)
        names = names[:int(limit)] if limit is not None else names
        return [items[n] for n in names], (names[-1] if more else None)

    def list_databases(self, **kw):
        return self._page(self.dbs, **kw)

    def create_user(self, users):
        for user in users:
            user.setdefault('_host', '%')
            self.users['%s@%s' % (user['_name'], user['_host'])] = user

    def list_users(self, **kw):
        return self._page(self.users, **kw)

    def get_user(self, username, hostname):
        return self.users.get('%s@%s' % (username, hostname or '%'))

    def delete_user(self, user):
        self.users.pop('%s@%s' % (user['_name'], user.get('_host') or '%'), None)

    def list_access(self, username, hostname):
        return (self.get_user(username, hostname) or {}).get('_databases', [])

    def grant_access(self, username, hostname, databases):
        self.get_user(username, hostname).setdefault('_databases', []).extend(
            {'_name': d} for d in databases)

    def revoke_access(self, username, hostname, database):
        user = self.get_user(username, hostname)
        user['_databases'] = [d for d in user['_databases'] if d['_name'] != database]

    def enable_root(self):
        return self.enable_root_with_password()

    def enable_root_with_password(self, root_password=None):
        self.root = root_password or 'rootpass'
        return {'_name': 'root', '_host': '%', '_password': self.root}

    def is_root_enabled(self):
        return self.root is not None

    def disable_root(self):
        self.root = None

    def get_filesystem_stats(self, **kw):
        return {'block_size': 4096, 'total_blocks': 262144, 'free_blocks': 200000,
                'total': 1.0, 'free': 0.8, 'used': 0.2}

    def rpc_ping(self):
        return True

    def guest_log_list(self):
        return []


def _heartbeat():
    while True:
        eventlet.sleep(1)
        for guest in [g for g in _guests.values() if g.state is not None]:
            try:
                guest._report()
            except Exception:              # deleted meanwhile
                _guests.pop(guest.id, None)


def _dispatch(self, method_name, kwargs):
    guest = _guests.setdefault(self.id, Guest(self.id))
    return getattr(guest, method_name)(**kwargs)


api.API._call = lambda self, name, timeout, version, **kw: _dispatch(self, name, kw)
api.API._cast = lambda self, name, version, **kw: _dispatch(self, name, kw) and None
api.API._create_guest_queue = lambda self: None
api.API.delete_queue = lambda self: None


@with_initialize
def main(conf):
    from trove.common import notification
    from trove.common.rpc import service
    from trove.common import wsgi
    from trove.taskmanager import api as task_api
    notification.DBaaSAPINotification.register_notify_callback(models.persist_instance_fault)
    launcher = wsgi.launch('trove', conf.bind_port, conf.find_file(conf.api_paste_config),
                           host=conf.bind_host, workers=1)
    eventlet.spawn(_heartbeat)
    key = conf.taskmanager_rpc_encr_key if conf.enable_secure_rpc_messaging else None
    service.RpcService(key=key, manager=conf.taskmanager_manager, topic=conf.taskmanager_queue,
                       rpc_api_version=task_api.API.API_LATEST_VERSION).start()
    launcher.wait()
