#!/bin/sh
# PostgreSQL with a streaming standby: the first is the primary, the second follows it, and people decide who is promoted.
set -e
data=/var/lib/postgresql/data
begun=$data.begun
# All of it is on the disk before it has its name: power that goes in the middle leaves a beginning that the next start removes.
create() {
    rm -rf "$begun"
    initdb --pgdata "$begun" --no-sync --username service --auth trust --locale C --encoding UTF8
    cat >>"$begun/postgresql.conf" <<END
listen_addresses = '0.0.0.0'
unix_socket_directories = '/tmp'
fsync = $FSYNC
shared_buffers = 32MB
max_connections = 60
wal_keep_size = 64MB
jit = off
END
    printf 'host all all 0.0.0.0/0 trust\nhost replication all 0.0.0.0/0 trust\n' >>"$begun/pg_hba.conf"
    sync -f "$begun"
    mv "$begun" "$data"
    sync -f "$data"
}
if [ ! -s "$data/PG_VERSION" ]; then
    if [ "{index}" = 0 ]; then
        create
    else
        until pg_basebackup --host "{address:db:0}" --username service --pgdata "$data" --write-recovery-conf --checkpoint fast; do
            sleep 1
        done
    fi
fi
exec postgres -D "$data"
