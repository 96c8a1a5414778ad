#!/usr/bin/env bash
# A real OpenStack control plane on the loopback address, for testing the driver:
# Debian's packages of the services without systemd, hypervisor, virtual switch or
# volumes. Needs Debian 12 and root.
#
#   cloud.sh up       install what is missing, initialise once, start, seed, print openrc
#   cloud.sh down     stop everything that up started (by recorded pid)
#   cloud.sh wipe     down, then delete the work folder
#   cloud.sh status   one line for each service: pid, memory, alive
#   cloud.sh run CMD  up, run CMD with MCIC_OPENSTACK set, then wipe, whatever happens
#
# Real: keystone, glance, placement, nova (api, conductor, scheduler, compute),
# neutron, cinder, octavia, manila, trove, magnum; MariaDB, RabbitMQ, memcached.
# Stand-ins: only the lowest driver of each service (hypervisor, binding of ports,
# router agent, volume backend, load balancer provider, guests), in plugins/standins.
#
# Settings (environment):
#   CLOUD_WORK      work folder                           [build/openstack]
#   CLOUD_SERVICES  optional services                     [cinder octavia magnum]
#                   (also: manila trove)
#   CLOUD_DELAY     seconds that a VM, load balancer or volume takes   [0.3]
#   CLOUD_COMPUTES  number of hypervisors                 [1]
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WORK=${CLOUD_WORK:-$(cd "$HERE/../.." && pwd)/build/openstack}
SERVICES=" ${CLOUD_SERVICES-cinder octavia magnum} "
DELAY=${CLOUD_DELAY:-0.3}
COMPUTES=${CLOUD_COMPUTES:-1}
PASS=test-only
REGION=RegionOne
HOST=127.0.0.1

RUN=$WORK/run; LOG=$WORK/log; ETC=$WORK/etc; PKG=$WORK/pkg
PLUG=$HERE/plugins
SOCK=$RUN/mysql.sock
PY=/usr/bin/python3                       # Debian's, which the packages are for
CALLERS_PATH=$PATH
export PATH=/usr/sbin:/usr/bin:/sbin:/bin # no other python's scripts
export PYTHONPATH=$PLUG PYTHONWARNINGS=ignore PYTHONDONTWRITEBYTECODE=1 CLOUD_DELAY=$DELAY
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY || true

# The kernel chooses the ports once for each work folder: keystone's catalog holds them.
ports() {
  mkdir -p "$WORK"
  [[ -s $WORK/ports ]] || $PY - >"$WORK/ports" <<'EOF'
import socket
names = ('KEYSTONE GLANCE PLACEMENT NOVA NEUTRON CINDER OCTAVIA MANILA TROVE MAGNUM '
         'MQ EPMD MQDIST MEMCACHE').split()
sockets = [socket.socket() for _ in names]
for s in sockets:
    s.bind(('127.0.0.1', 0))
for name, s in zip(names, sockets):
    print('P_%s=%d' % (name, s.getsockname()[1]))
EOF
  # shellcheck source=/dev/null
  . "$WORK/ports"
}
ports
want() { [[ $SERVICES == *" $1 "* ]]; }
T0=${EPOCHREALTIME/./}
say() { local d=$(( (${EPOCHREALTIME/./} - T0) / 100000 )); printf '[%4d.%ds] %s\n' $((d/10)) $((d%10)) "$*" >&2; }

# ---------------------------------------------------------------- install
# Only libraries (python3-*) and the two daemons: no service package, so no maintainer script
# creates system users, config in /etc, or starts anything.
PKGS="python3-keystone python3-glance python3-placement python3-nova python3-neutron
      python3-openstackclient python3-pymysql python3-sqlalchemy-ext mariadb-server rabbitmq-server memcached
      python3-waitress procps curl"
want cinder  && PKGS+=" python3-cinder"
want octavia && PKGS+=" python3-octavia python3-octaviaclient"
want manila  && PKGS+=" python3-manila python3-manilaclient"
want trove   && PKGS+=" python3-trove"
want magnum  && PKGS+=" python3-magnum"
# These carry the api-paste.ini files; they are unpacked under $WORK, not installed.
COMMON="nova-common neutron-common glance-common"
for _s in cinder manila trove magnum; do want $_s && COMMON+=" $_s-common"; done

install() {
  local missing=() p
  for p in $PKGS; do
    [[ $(dpkg-query -W -f='${Status}' "$p" 2>/dev/null) == "install ok installed" ]] || missing+=("$p")
  done
  if ((${#missing[@]})); then
    say "installing ${#missing[@]} packages: ${missing[*]}"
    # RUNLEVEL=1: invoke-rc.d starts nothing
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
      apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=900 \
      -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Options::=--force-confold \
      install "${missing[@]}"; } </dev/null >"$LOG/apt.log" 2>&1 || { tail -20 "$LOG/apt.log" >&2; exit 1; }
  fi
  mkdir -p "$PKG/deb"
  for p in $COMMON; do
    [[ -e $PKG/.done-$p ]] && continue
    (cd "$PKG/deb" && rm -f "${p}"_*.deb && apt-get -qq download "$p" >>"$LOG/apt.log" 2>&1 &&
      dpkg-deb -x "${p}"_*.deb "$PKG" && touch "$PKG/.done-$p") ||
      { say "cannot get the package $p"; tail -5 "$LOG/apt.log" >&2; exit 1; }
  done
  say "packages ready"
}

# ---------------------------------------------------------------- process helpers
spawn() {  # spawn NAME CMD... : start detached, remember the pid (which leads its process group)
  local name=$1; shift
  alive "$name" && return 0
  setsid nohup "$@" </dev/null >>"$LOG/$name.log" 2>&1 &
  echo $! >"$RUN/$name.pid"
}
alive() { local f=$RUN/$1.pid; [[ -s $f ]] && kill -0 "$(<"$f")" 2>/dev/null; }
stop() {
  local name=$1 f=$RUN/$1.pid pid
  [[ -s $f ]] || return 0
  pid=$(<"$f")
  if kill -0 "$pid" 2>/dev/null; then
    kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
    for _ in $(seq 20); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL -- "-$pid" 2>/dev/null || true
  fi
  rm -f "$f"
}
waitfor() {  # waitfor WHAT SECONDS CMD... : until CMD succeeds
  local what=$1 end=$((SECONDS+$2)); shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS<end)) || { say "timeout waiting for $what; see $LOG"; return 1; }
    sleep 0.2
  done
  say "$what is up"
}
http_ok() { [[ $(curl -s -o /dev/null -m 5 -w '%{http_code}' "$1") =~ ^(200|300|401)$ ]]; }
main_of() { echo "import sys; sys.argv[0]='$1'; from $2 import main; sys.exit(main())"; }
wsgi() {  # wsgi NAME PORT WSGIFILE [ARG...] : a WSGI script under waitress (HTTP/1.1 keep-alive, threads)
  local name=$1 port=$2 file=$3; shift 3
  spawn "$name" $PY "$PLUG/standins/serve.py" "$port" "$file" "$@"
}

# ---------------------------------------------------------------- configuration
mysql_url() { echo "mysql+pymysql://root@localhost/$1?unix_socket=$SOCK&charset=utf8"; }
authsec() { cat <<EOF
auth_type = password
auth_url = http://$HOST:$P_KEYSTONE/v3
username = svc
password = $PASS
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = $REGION
EOF
}
common() {  # sections that every service shares; $1 = service name
cat <<EOF
[database]
connection = $(mysql_url "$1")
max_pool_size = 5
max_overflow = 20
[keystone_authtoken]
www_authenticate_uri = http://$HOST:$P_KEYSTONE/v3
memcached_servers = $HOST:$P_MEMCACHE
service_token_roles = service
service_token_roles_required = true
$(authsec)
[oslo_concurrency]
lock_path = $WORK/lock/$1
[oslo_messaging_rabbit]
heartbeat_in_pthread = false
kombu_reconnect_delay = 0.2
rabbit_retry_interval = 1
[oslo_messaging_notifications]
driver = noop
[oslo_policy]
enforce_scope = false
[oslo_middleware]
enable_proxy_headers_parsing = false
EOF
}
RPC_URL="rabbit://cloud:$PASS@$HOST:$P_MQ/"

configure() {
  mkdir -p "$RUN" "$LOG" "$WORK"/lock/{keystone,glance,placement,nova,neutron,cinder,octavia,manila,trove,magnum} \
    "$WORK"/{glance/images,glance/tmp,nova/instances,cinder/coord,cinder/conv,manila,mq} \
    "$ETC"/{keystone,glance,placement,nova,neutron,cinder,octavia,manila,trove,magnum} "$WORK"/{trove,magnum}

  # ---- keystone
  cat >"$ETC/keystone/keystone.conf" <<EOF
[DEFAULT]
log_dir =
use_stderr = true
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = $ETC/keystone/fernet
[fernet_receipts]
key_repository = $ETC/keystone/fernet
[credential]
key_repository = $ETC/keystone/credential
[identity]
# tests log in often: the cheapest legal hash
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
$(common keystone)
EOF
  # ---- glance
  cat >"$ETC/glance/glance-api.conf" <<EOF
[DEFAULT]
bind_host = $HOST
bind_port = $P_GLANCE
workers = 0
enabled_backends = file:file
node_staging_uri = file://$WORK/glance/tmp/
show_image_direct_url = false
# eventlet's wsgi server is enough here
[glance_store]
default_backend = file
[file]
filesystem_store_datadir = $WORK/glance/images/
[os_glance_staging_store]
filesystem_store_datadir = $WORK/glance/tmp/
[os_glance_tasks_store]
filesystem_store_datadir = $WORK/glance/tmp/
[paste_deploy]
flavor = keystone
config_file = $PKG/usr/share/glance-common/glance-api-paste.ini
$(common glance)
EOF
  # ---- placement
  cat >"$ETC/placement/placement.conf" <<EOF
[placement_database]
connection = $(mysql_url placement)
[api]
auth_strategy = keystone
$(common placement)
EOF
  # ---- nova (one file per compute host is derived below with --host)
  cat >"$ETC/nova/nova.conf" <<EOF
[DEFAULT]
state_path = $WORK/nova
instances_path = $WORK/nova/instances
my_ip = $HOST
transport_url = $RPC_URL
compute_driver = standins.SimDriver
enabled_apis = osapi_compute
osapi_compute_listen = $HOST
osapi_compute_listen_port = $P_NOVA
osapi_compute_workers = 1
allow_resize_to_same_host = true
report_interval = 5
service_down_time = 60
update_resources_interval = 30
periodic_fuzzy_delay = 0
# no guest agent or virtual network to wait for
vif_plugging_timeout = 0
vif_plugging_is_fatal = false
# of a port whose subnet somebody changes at the same time
network_allocate_retries = 5
[api_database]
connection = $(mysql_url nova_api)
max_pool_size = 5
max_overflow = 20
[api]
auth_strategy = keystone
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 1
[filter_scheduler]
track_instance_changes = false
[quota]
instances = 200
cores = 800
ram = 2048000
key_pairs = 500
server_groups = 200
[glance]
api_servers = http://$HOST:$P_GLANCE
[neutron]
$(authsec)
default_floating_pool = public
[placement]
$(authsec)
[cinder]
os_region_name = $REGION
catalog_info = volumev3:cinderv3:publicURL
$(authsec)
[service_user]
send_service_user_token = true
$(authsec)
[wsgi]
api_paste_config = $PKG/usr/share/nova-common/api-paste.ini
[vnc]
enabled = true
novncproxy_base_url = http://$HOST:6080/vnc_auto.html
[spice]
enabled = false
$(common nova)
EOF
  # ---- neutron (api and rpc in one process)
  cat >"$ETC/neutron/neutron.conf" <<EOF
[DEFAULT]
bind_host = $HOST
bind_port = $P_NEUTRON
core_plugin = ml2
service_plugins = router
api_workers = 0
rpc_workers = 0
rpc_state_report_workers = 0
state_path = $WORK/neutron
api_paste_config = $PKG/usr/share/neutron-common/api-paste.ini
auth_strategy = keystone
transport_url = $RPC_URL
notify_nova_on_port_status_changes = true
notify_nova_on_port_data_changes = true
dhcp_agent_notification = false
send_events_interval = 0
allow_overlapping_ips = true
l3_ha = false
router_auto_schedule = false
# no agents: see standins/ml2.py
[ml2]
type_drivers = flat,vlan,vxlan,geneve,local
tenant_network_types = vxlan
mechanism_drivers = standins
extension_drivers = port_security
[ml2_type_flat]
flat_networks = *
[ml2_type_vlan]
network_vlan_ranges = physnet1:1000:1999
[ml2_type_vxlan]
vni_ranges = 1:10000
[ml2_type_geneve]
vni_ranges = 20000:29999
max_header_size = 38
[securitygroup]
enable_security_group = true
[quotas]
quota_network = 500
quota_subnet = 500
quota_port = 2000
quota_router = 200
quota_floatingip = 500
quota_security_group = 500
quota_security_group_rule = 5000
[nova]
$(authsec)
[placement]
$(authsec)
$(common neutron)
EOF
  # ---- cinder
  cat >"$ETC/cinder/cinder.conf" <<EOF
[DEFAULT]
state_path = $WORK/cinder
my_ip = $HOST
host = cloud
osapi_volume_listen = $HOST
osapi_volume_listen_port = $P_CINDER
osapi_volume_workers = 1
api_paste_config = $PKG/usr/share/cinder-common/api-paste.ini
auth_strategy = keystone
transport_url = $RPC_URL
enabled_backends = sim1
default_volume_type = standard
glance_api_servers = http://$HOST:$P_GLANCE
image_conversion_dir = $WORK/cinder/conv
report_interval = 5
service_down_time = 60
periodic_interval = 10
backend_stats_polling_interval = 10
periodic_fuzzy_delay = 0
quota_volumes = 500
quota_snapshots = 500
quota_gigabytes = 200000
resource_query_filters_file = $PKG/etc/cinder/resource_filters.json
[sim1]
volume_driver = standins.cindervol.SimVolumeDriver
volume_backend_name = sim1
[coordination]
backend_url = file://$WORK/cinder/coord
[nova]
$(authsec)
[service_user]
send_service_user_token = true
$(authsec)
$(common cinder)
EOF
  # ---- octavia (api only; standins/octavia_wsgi.py stands in for the amphora provider)
  cat >"$ETC/octavia/octavia.conf" <<EOF
[DEFAULT]
transport_url = $RPC_URL
[api_settings]
auth_strategy = keystone
bind_host = $HOST
bind_port = $P_OCTAVIA
enabled_provider_drivers = amphora:simulated amphora, octavia:alias of amphora
default_provider_driver = amphora
api_base_uri = http://$HOST:$P_OCTAVIA
[controller_worker]
network_driver = allowed_address_pairs_driver
[networking]
allow_vip_network_id = true
[quotas]
default_load_balancer_quota = 500
[service_auth]
$(authsec)
[neutron]
region_name = $REGION
endpoint = http://$HOST:$P_NEUTRON
[nova]
region_name = $REGION
$(common octavia)
EOF
  # ---- manila (upstream dummy driver, two backends: without and with share servers)
  cat >"$ETC/manila/manila.conf" <<EOF
[DEFAULT]
state_path = $WORK/manila
my_ip = $HOST
host = cloud
osapi_share_listen = $HOST
osapi_share_listen_port = $P_MANILA
osapi_share_workers = 1
api_paste_config = $PKG/usr/share/manila-common/api-paste.ini
auth_strategy = keystone
transport_url = $RPC_URL
enabled_share_backends = dummy1,dummy2
enabled_share_protocols = NFS,CIFS
default_share_type = default
report_interval = 5
service_down_time = 60
periodic_interval = 10
periodic_fuzzy_delay = 0
share_service_inithost_offload = false
[dummy1]
share_backend_name = dummy1
share_driver = manila.tests.share.drivers.dummy.DummyDriver
driver_handles_share_servers = false
dummy_driver_driver_methods_delays = create_share:$DELAY,delete_share:0.1
[dummy2]
share_backend_name = dummy2
share_driver = manila.tests.share.drivers.dummy.DummyDriver
driver_handles_share_servers = true
admin_network_config_group = admin_net
dummy_driver_driver_methods_delays = create_share:$DELAY,delete_share:0.1
[admin_net]
network_api_class = manila.network.standalone_network_plugin.StandaloneNetworkPlugin
standalone_network_plugin_gateway = 10.254.0.1
standalone_network_plugin_mask = 16
standalone_network_plugin_network_type = flat
[coordination]
backend_url = file://$WORK/manila
[neutron]
url = http://$HOST:$P_NEUTRON
$(authsec)
[cinder]
$(authsec)
[nova]
$(authsec)
[glance]
$(authsec)
$(common manila)
EOF
  # ---- trove (api and taskmanager in one process; standins/trovesim.py stands in for the guest agents)
  cat >"$ETC/trove/trove.conf" <<EOF
[DEFAULT]
bind_host = $HOST
bind_port = $P_TROVE
trove_api_workers = 1
api_paste_config = $PKG/usr/share/trove-common/api-paste.ini
transport_url = $RPC_URL
control_exchange = trove
network_driver = trove.network.neutron.NeutronDriver
taskmanager_manager = trove.taskmanager.manager.Manager
trove_volume_support = true
max_accepted_volume_size = 1000
max_instances_per_tenant = 100
max_volumes_per_tenant = 10000
default_datastore = mysql
cinder_volume_type = standard
volume_time_out = 60
server_delete_time_out = 60
usage_sleep_time = 1
usage_timeout = 120
http_get_rate = 1000000
http_post_rate = 1000000
http_put_rate = 1000000
http_delete_rate = 1000000
http_mgmt_post_rate = 1000000
guest_config = $ETC/trove/trove-guestagent.conf
guest_info = guest_info.conf
network_label_regex = .*
ip_regex = .*
[service_credentials]
auth_url = http://$HOST:$P_KEYSTONE/v3
region_name = $REGION
username = svc
password = $PASS
project_name = service
user_domain_name = Default
project_domain_name = Default
[mysql]
volume_support = true
root_on_create = false
[guest_agent]
$(common trove)
EOF
  : >"$ETC/trove/trove-guestagent.conf"
  # ---- magnum (standins/magnumsim.py stands in for heat)
  cat >"$ETC/magnum/magnum.conf" <<EOF
[DEFAULT]
transport_url = $RPC_URL
state_path = $WORK/magnum
host = cloud
[api]
host = $HOST
port = $P_MAGNUM
workers = 1
api_paste_config = $PKG/usr/share/magnum-common/api-paste.ini
[conductor]
workers = 1
[certificates]
cert_manager_type = x509keypair
[trust]
trustee_domain_name = magnum
trustee_domain_admin_name = magnum_admin
trustee_domain_admin_password = $PASS
trustee_keystone_interface = public
[keystone_auth]
$(authsec)
[cinder]
default_docker_volume_type = standard
[cluster_template]
kubernetes_allowed_network_drivers = all
[drivers]
send_cluster_metrics = false
$(common magnum)
EOF
  openrc >"$WORK/openrc"
  say "configuration written"
}

openrc() { cat <<EOF
export OS_AUTH_URL=http://$HOST:$P_KEYSTONE/v3
export OS_IDENTITY_API_VERSION=3
export OS_USERNAME=admin
export OS_PASSWORD=$PASS
export OS_PROJECT_NAME=admin
export OS_USER_DOMAIN_NAME=Default
export OS_PROJECT_DOMAIN_NAME=Default
export OS_REGION_NAME=$REGION
EOF
}

# ---------------------------------------------------------------- MariaDB, RabbitMQ, memcached
DBS="keystone glance placement nova nova_api nova_cell0 neutron cinder octavia manila trove magnum"
sql() { mariadb --no-defaults -S "$SOCK" -uroot "$@"; }

start_db() {
  if [[ ! -d $WORK/mysql/mysql ]]; then
    mariadb-install-db --no-defaults --user=root --datadir="$WORK/mysql" --skip-test-db \
      --auth-root-authentication-method=normal >"$LOG/mysql-install.log" 2>&1
  fi
  # socket only, durability off: a test database
  spawn mysql mariadbd --no-defaults --user=root --datadir="$WORK/mysql" --socket="$SOCK" \
    --skip-networking --pid-file="$RUN/mariadbd.pid" --skip-log-bin --skip-name-resolve \
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-flush-method=nosync \
    --sync-frm=0 --innodb-buffer-pool-size=128M --innodb-log-file-size=32M --max-connections=500 \
    --performance-schema=off --character-set-server=utf8mb3 --collation-server=utf8mb3_general_ci
  waitfor mariadb 30 sql -e 'select 1'
  local d; for d in $DBS; do echo "create database if not exists $d character set utf8mb3;"; done | sql
}

start_mq() {
  mkdir -p "$WORK/mq"
  echo '[].' >"$WORK/mq/enabled_plugins"
  cat >"$WORK/mq/rabbitmq.conf" <<EOF
listeners.tcp.default = 127.0.0.1:$P_MQ
default_user = cloud
default_pass = $PASS
loopback_users.cloud = false
log.console = true
log.file = false
EOF
  spawn rabbitmq env HOME="$WORK/mq" ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$P_EPMD" \
    RABBITMQ_NODENAME=cloud@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$P_MQ" \
    RABBITMQ_DIST_PORT="$P_MQDIST" RABBITMQ_MNESIA_BASE="$WORK/mq/mnesia" RABBITMQ_LOG_BASE="$LOG/mq" \
    RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE="$WORK/mq/rabbitmq" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$WORK/mq/enabled_plugins" RABBITMQ_PID_FILE="$RUN/rabbit-erl.pid" \
    RABBITMQ_SERVER_ERL_ARGS="+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}" \
    /usr/lib/rabbitmq/bin/rabbitmq-server
}
start_memcached() { spawn memcached memcached -l "$HOST" -p "$P_MEMCACHE" -U 0 -m 64 -u root; }
mq_ready() { (exec 3<>"/dev/tcp/$HOST/$P_MQ") 2>/dev/null; }

# ---------------------------------------------------------------- schema (once; then cached)
dbsync_keystone() {
  [[ -e $WORK/.dbsync-done ]] && return 0
  local c="--config-file $ETC/keystone/keystone.conf" u=http://$HOST:$P_KEYSTONE/v3
  { keystone-manage $c db_sync && keystone-manage $c bootstrap --bootstrap-password $PASS \
      --bootstrap-admin-url $u --bootstrap-public-url $u --bootstrap-internal-url $u \
      --bootstrap-region-id $REGION; } >"$LOG/dbsync-keystone.log" 2>&1 &&
    say "schema keystone done" || { say "schema keystone FAILED"; exit 1; }
}
dbsync() {
  [[ -e $WORK/.dbsync-done ]] && return 0
  local pids=() names=() i
  bg() { local n=$1; shift; "$@" >"$LOG/dbsync-$n.log" 2>&1 & pids+=($!); names+=("$n"); }
  bg neutron $PY -c "$(main_of neutron-db-manage neutron.db.migration.cli)" \
    --config-file "$ETC/neutron/neutron.conf" upgrade heads
  cat >"$WORK/nova-dbsync.py" <<EOF
from nova import config
from nova.cmd import manage
from nova.db import migration
config.parse_args(['nova-manage', '--config-file', '$ETC/nova/nova.conf'])
from nova import objects
objects.register_all()
migration.db_sync(database='api')
cells = manage.CellV2Commands()
cells.map_cell0(database_connection='$(mysql_url nova_cell0)')
manage.DbCommands().sync()                       # cell0 and the main database
cells.create_cell(name='cell1', transport_url='$RPC_URL', database_connection='$(mysql_url nova)')
EOF
  bg nova $PY "$WORK/nova-dbsync.py"
  bg glance $PY -c "$(main_of glance-manage glance.cmd.manage)" \
    --config-file "$ETC/glance/glance-api.conf" db_sync
  bg placement placement-manage --config-file "$ETC/placement/placement.conf" db sync
  want cinder  && bg cinder $PY -c "$(main_of cinder-manage cinder.cmd.manage)" \
    --config-file "$ETC/cinder/cinder.conf" db sync
  want octavia && bg octavia octavia-db-manage --config-file "$ETC/octavia/octavia.conf" upgrade head
  want manila  && bg manila $PY -c "$(main_of manila-manage manila.cmd.manage)" \
    --config-file "$ETC/manila/manila.conf" db sync
  # (zed's trove-manage predates python 3.11, which dropped getargspec)
  want trove   && bg trove $PY -c "import inspect; inspect.getargspec = inspect.getfullargspec
$(main_of trove-manage trove.cmd.manage)" \
    --config-file "$ETC/trove/trove.conf" db_sync
  want magnum  && bg magnum $PY -c "$(main_of magnum-db-manage magnum.cmd.db_manage)" \
    --config-file "$ETC/magnum/magnum.conf" upgrade
  for i in "${!pids[@]}"; do
    wait "${pids[$i]}" && say "schema ${names[$i]} done" ||
      { say "schema ${names[$i]} FAILED"; tail -5 "$LOG/dbsync-${names[$i]}.log" >&2; exit 1; }
  done
  touch "$WORK/.dbsync-done"
}

# ---------------------------------------------------------------- services
keystone_keys() {
  local d; for d in fernet credential; do
    [[ -s $ETC/keystone/$d/0 ]] || { mkdir -p "$ETC/keystone/$d"; chmod 700 "$ETC/keystone/$d"
      $PY -c "from cryptography.fernet import Fernet as F
for n in '01': open('$ETC/keystone/$d/'+n,'wb').write(F.generate_key())"; }
  done
}
start_keystone() {
  export OS_KEYSTONE_CONFIG_FILES=$ETC/keystone/keystone.conf
  wsgi keystone "$P_KEYSTONE" /usr/bin/keystone-wsgi-public
}
start_early() {       # these do not talk to keystone while starting
  export OS_PLACEMENT_CONFIG_DIR=$ETC/placement OS_GLANCE_CONFIG_DIR=$ETC/glance
  wsgi placement "$P_PLACEMENT" /usr/bin/placement-api
  spawn neutron-server $PY -c "$NEUTRON_MAIN" --config-file "$ETC/neutron/neutron.conf"
  py glance-api glance.cmd.api glance/glance-api.conf
  py nova-api nova.cmd.api_os_compute nova
}
TROVE_MAIN="import sys; sys.argv[0]='trove'
import eventlet; eventlet.monkey_patch()
import standins.trovesim as m; m.main()"
MAGNUM_MAIN="import sys; sys.argv[0]='magnum-conductor'
import magnum.cmd                                 # monkey-patches first
import standins.magnumsim
from magnum.cmd.conductor import main; sys.exit(main())"
COMPUTE_MAIN="import sys; sys.argv[0]='nova-compute'
import nova.cmd                                   # monkey-patches first
import nova.virt, standins.novafake
sys.modules['nova.virt.standins'] = nova.virt.standins = standins.novafake   # nova loads only nova.virt.*
from nova.cmd.compute import main; sys.exit(main())"
NEUTRON_MAIN="import sys; sys.argv[0]='neutron-server'
import neutron.cmd.eventlet                       # monkey-patches first
import standins.db, standins.l3
from neutron.cmd.eventlet.server import main; sys.exit(main())"
py() {  # py NAME MODULE CONFDIR|CONFFILE [ARG...]
  local name=$1 mod=$2 conf=$3; shift 3
  [[ $conf == */* ]] || conf=$conf/$conf.conf
  spawn "$name" $PY -c "$(main_of "$name" "$mod")" --config-file "$ETC/$conf" "$@"
}
start_rest() {
  local i
  py nova-conductor nova.cmd.conductor nova
  py nova-scheduler nova.cmd.scheduler nova
  for ((i=1; i<=COMPUTES; i++)); do
    printf '[DEFAULT]\nhost = compute%d\n' "$i" >"$ETC/nova/compute$i.conf"
    spawn "nova-compute$i" $PY -c "$COMPUTE_MAIN" --config-file "$ETC/nova/nova.conf" \
      --config-file "$ETC/nova/compute$i.conf"
  done
  if want cinder; then
    py cinder-api cinder.cmd.api cinder
    py cinder-scheduler cinder.cmd.scheduler cinder
    py cinder-volume cinder.cmd.volume cinder
  fi
  if want octavia; then
    wsgi octavia-api "$P_OCTAVIA" "$PLUG/standins/octavia_wsgi.py" --config-file "$ETC/octavia/octavia.conf"
  fi
  if want manila; then
    py manila-api manila.cmd.api manila
    py manila-scheduler manila.cmd.scheduler manila
    py manila-share manila.cmd.share manila
  fi
  if want trove; then spawn trove $PY -c "$TROVE_MAIN" --config-file "$ETC/trove/trove.conf"; fi
  if want magnum; then
    py magnum-api magnum.cmd.api magnum
    spawn magnum-conductor $PY -c "$MAGNUM_MAIN" --config-file "$ETC/magnum/magnum.conf"
  fi
}

# ---------------------------------------------------------------- catalog and first data
seed() {  # $1 = catalog | data ; idempotent, plain REST
  CLOUD_SERVICES="$SERVICES" $PY - "$1" <<EOF
import os, sys, time
import requests
S = requests.Session()
KS = 'http://$HOST:$P_KEYSTONE/v3'
PORTS = dict(nova=$P_NOVA, neutron=$P_NEUTRON, glance=$P_GLANCE, placement=$P_PLACEMENT,
             cinder=$P_CINDER, octavia=$P_OCTAVIA, manila=$P_MANILA, trove=$P_TROVE,
             magnum=$P_MAGNUM)
wanted = os.environ['CLOUD_SERVICES'].split() + ['nova', 'neutron', 'glance', 'placement']

def call(method, url, ok=(200, 201, 202, 204, 409), **kw):
    r = S.request(method, url, timeout=60, **kw)
    if r.status_code not in ok:
        raise SystemExit('%s %s -> %s %s' % (method, url, r.status_code, r.text[:300]))
    return r.json() if r.content and 'json' in r.headers.get('content-type', '') else {}

r = S.post(KS + '/auth/tokens', timeout=60, json={'auth': {
    'identity': {'methods': ['password'], 'password': {'user': {
        'name': 'admin', 'domain': {'id': 'default'}, 'password': '$PASS'}}},
    'scope': {'project': {'name': 'admin', 'domain': {'id': 'default'}}}}})
r.raise_for_status()
S.headers['X-Auth-Token'] = r.headers['X-Subject-Token']
ADMIN_PROJECT = r.json()['token']['project']['id']

def ensure(base, coll, one, name, **attrs):
    for o in call('GET', base + '/' + coll, params={'name': name})[coll]:
        if o['name'] == name:
            return o['id']
    return call('POST', base + '/' + coll, json={one: dict(attrs, name=name)})[one]['id']

def catalog():
    roles = {n: ensure(KS, 'roles', 'role', n) for n in
             ('admin', 'member', 'reader', 'service', 'load-balancer_member', 'creator')}
    p = ensure(KS, 'projects', 'project', 'service', domain_id='default')
    u = ensure(KS, 'users', 'user', 'svc', domain_id='default', password='$PASS')
    for x in ('admin', 'service'):
        call('PUT', '%s/projects/%s/users/%s/roles/%s' % (KS, p, u, roles[x]))
    services = [('compute', 'nova', 'nova', '/v2.1'), ('network', 'neutron', 'neutron', ''),
                ('image', 'glance', 'glance', ''), ('placement', 'placement', 'placement', ''),
                ('volumev3', 'cinderv3', 'cinder', '/v3/\$(project_id)s'),
                ('block-storage', 'cinder', 'cinder', '/v3/\$(project_id)s'),
                ('load-balancer', 'octavia', 'octavia', ''),
                ('sharev2', 'manilav2', 'manila', '/v2'),
                ('database', 'trove', 'trove', '/v1.0/\$(project_id)s'),
                ('container-infra', 'magnum', 'magnum', '/v1')]
    if 'magnum' in wanted:               # magnum keeps per-cluster trustees in a domain of its own
        d = ensure(KS, 'domains', 'domain', 'magnum')
        u = ensure(KS, 'users', 'user', 'magnum_admin', domain_id=d, password='$PASS')
        call('PUT', '%s/domains/%s/users/%s/roles/%s' % (KS, d, u, roles['admin']))
    have = {e['service_id'] for e in call('GET', KS + '/endpoints')['endpoints']}
    for typ, name, svc, path in services:
        if svc not in wanted:
            continue
        sid = ensure(KS, 'services', 'service', name, type=typ)
        if sid in have:
            continue
        for iface in ('public', 'internal', 'admin'):
            call('POST', KS + '/endpoints', json={'endpoint': dict(
                service_id=sid, interface=iface, region_id='$REGION',
                url='http://$HOST:%d%s' % (PORTS[svc], path))})

def data():
    nova = 'http://$HOST:$P_NOVA/v2.1'
    have = {f['name'] for f in call('GET', nova + '/flavors')['flavors']}
    for i, (n, vcpu, ram, disk) in enumerate((('m1.tiny', 1, 512, 1), ('m1.small', 1, 2048, 20),
            ('m1.medium', 2, 4096, 40), ('m1.large', 4, 8192, 80), ('m1.xlarge', 8, 16384, 160)), 1):
        if n not in have:
            call('POST', nova + '/flavors', json={'flavor': dict(
                id=str(i), name=n, vcpus=vcpu, ram=ram, disk=disk)})
    glance = 'http://$HOST:$P_GLANCE/v2'
    have = {i['name'] for i in call('GET', glance + '/images')['images']}
    for n, props in (('cirros-0.6', dict(os_distro='cirros')),
                     ('ubuntu-22.04', dict(os_distro='ubuntu', os_version='22.04', os_admin_user='ubuntu')),
                     ('fedora-coreos', dict(os_distro='fedora-coreos')),
                     ('windows-2022', dict(os_distro='windows', os_version='2022', os_type='windows'))):
        if n not in have:
            i = call('POST', glance + '/images', json=dict(
                props, name=n, visibility='public', disk_format='raw', container_format='bare'))['id']
            call('PUT', '%s/images/%s/file' % (glance, i), data=b'\0' * 4096,
                 headers={'Content-Type': 'application/octet-stream'})
    neutron = 'http://$HOST:$P_NEUTRON/v2.0'
    pub = ensure(neutron, 'networks', 'network', 'public', **{
        'router:external': True, 'provider:network_type': 'flat',
        'provider:physical_network': 'physnet0'})
    ensure(neutron, 'subnets', 'subnet', 'public-subnet', network_id=pub, ip_version=4,
           cidr='203.0.113.0/24', gateway_ip='203.0.113.1', enable_dhcp=False)
    if 'cinder' in wanted:
        c = 'http://$HOST:$P_CINDER/v3/' + ADMIN_PROJECT
        have = {t['name'] for t in call('GET', c + '/types')['volume_types']}
        for n in ('standard', 'ssd'):
            if n not in have:
                call('POST', c + '/types', json={'volume_type': {'name': n, 'extra_specs': {
                    'volume_backend_name': 'sim1'}}})
    if 'manila' in wanted:
        m = 'http://$HOST:$P_MANILA/v2'
        S.headers['X-OpenStack-Manila-API-Version'] = '2.50'
        have = {t['name'] for t in call('GET', m + '/types')['share_types']}
        for n, dhss in (('default', 'False'), ('dhss_true', 'True')):
            if n not in have:
                call('POST', m + '/types', json={'share_type': {
                    'name': n, 'share_type_access:is_public': True,
                    'extra_specs': {'driver_handles_share_servers': dhss, 'snapshot_support': 'True',
                                    'create_share_from_snapshot_support': 'True'}}})
        del S.headers['X-OpenStack-Manila-API-Version']
    if 'trove' in wanted:
        t = 'http://$HOST:$P_TROVE/v1.0/' + ADMIN_PROJECT
        image = call('GET', glance + '/images', params={'name': 'ubuntu-22.04'})['images'][0]['id']
        for name, version in (('mysql', '5.7.29'), ('mysql', '8.0.29'), ('mariadb', '10.4.18'),
                              ('postgresql', '12.4')):
            call('POST', t + '/mgmt/datastore-versions', ok=(202, 400, 409), json={'version': {
                'datastore_name': name, 'datastore_manager': name, 'name': version,
                'version': version, 'image': image, 'active': True, 'default': True, 'packages': []}})
    if 'magnum' in wanted:
        m = 'http://$HOST:$P_MAGNUM/v1'
        have = {t['name'] for t in call('GET', m + '/clustertemplates')['clustertemplates']}
        for version in ('v1.27.8', 'v1.28.9'):
            if 'k8s-' + version not in have:
                call('POST', m + '/clustertemplates', json=dict(
                    name='k8s-' + version, coe='kubernetes', public=True, image_id='fedora-coreos',
                    external_network_id=pub, flavor_id='m1.small', master_flavor_id='m1.small',
                    network_driver='calico', labels={'kube_tag': version}))
    for _ in range(300):                     # a host in placement and mapped to the cell
        up = [h for h in call('GET', nova + '/os-hypervisors')['hypervisors'] if h['state'] == 'up']
        if len(up) >= $COMPUTES:
            return
        time.sleep(0.2)
    raise SystemExit('no hypervisor came up')

dict(catalog=catalog, data=data)[sys.argv[1]]()
EOF
}

# ---------------------------------------------------------------- verbs
up() {
  mkdir -p "$RUN" "$LOG"
  install
  configure
  keystone_keys
  start_mq
  start_memcached
  start_db
  dbsync_keystone
  start_keystone
  dbsync &
  local sync=$!
  waitfor keystone 90 http_ok "http://$HOST:$P_KEYSTONE/v3"
  seed catalog; say "catalog ready"
  wait $sync
  waitfor rabbitmq 60 mq_ready
  start_early
  start_rest
  waitfor placement 60 http_ok "http://$HOST:$P_PLACEMENT/"
  waitfor glance 60 http_ok "http://$HOST:$P_GLANCE/"
  waitfor neutron 60 http_ok "http://$HOST:$P_NEUTRON/"
  waitfor nova 60 http_ok "http://$HOST:$P_NOVA/"
  if want cinder;  then waitfor cinder 60 http_ok "http://$HOST:$P_CINDER/"; fi
  if want octavia; then waitfor octavia 60 http_ok "http://$HOST:$P_OCTAVIA/"; fi
  if want manila;  then waitfor manila 60 http_ok "http://$HOST:$P_MANILA/"; fi
  if want trove;   then waitfor trove 60 http_ok "http://$HOST:$P_TROVE/"; fi
  if want magnum;  then waitfor magnum 60 http_ok "http://$HOST:$P_MAGNUM/"; fi
  seed data; say "seed data ready"
  say "OpenStack is up; for the tests: export MCIC_OPENSTACK=$WORK/openrc"
  cat "$WORK/openrc"
}
down() {
  local f n
  for f in "$RUN"/*.pid; do
    n=$(basename "$f" .pid)
    case $n in mariadbd|rabbit-erl|mysql|rabbitmq|memcached) ;; *) stop "$n" & ;; esac
  done 2>/dev/null
  wait
  stop memcached; stop rabbitmq; stop mysql
  # epmd detaches from rabbitmq; it is ours, on our own port
  ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$P_EPMD epmd -kill >/dev/null 2>&1 || true
  rm -f "$RUN"/*.pid
  say "stopped"
}
status() {
  local f n pid tot=0 rss
  for f in "$RUN"/*.pid; do
    n=$(basename "$f" .pid); [[ $n == mariadbd || $n == rabbit-erl ]] && continue
    pid=$(<"$f")
    rss=$({ ps -o rss= -g "$pid" || true; } | awk '{s+=$1} END{print int(s/1024)}')
    printf '%-18s pid %-7s %5s MiB  %s\n' "$n" "$pid" "$rss" "$(alive "$n" && echo up || echo DOWN)"
    tot=$((tot+rss))
  done
  echo "total RSS: $tot MiB"
}

run() {
  trap wipe EXIT
  "$HERE/cloud.sh" up >/dev/null || { tail -n 20 "$LOG"/*.log >&2; exit 1; }
  env -u PYTHONPATH PATH="$CALLERS_PATH" MCIC_OPENSTACK="$WORK/openrc" "$@"
}
wipe() { down; rm -rf "$WORK"; }

case ${1:-} in
  up) up ;;
  down) down ;;
  wipe) wipe ;;
  status) status ;;
  run) shift; run "$@" ;;
  *) sed -n '2,/^set /{/^#/p}' "$0"; exit 2 ;;
esac
