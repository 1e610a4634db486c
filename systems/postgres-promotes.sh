#!/bin/sh
# PostgreSQL with a streaming standby that promotes itself when it has not seen the other one for four seconds. Whoever comes
# back and finds another primary begins again as its standby.
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
other={address:db:0}
[ "{index}" != 0 ] || other={address:db:1}
is_primary() {
    [ "$(psql --host "$1" --dbname postgres --no-align --tuples-only --command 'SELECT NOT pg_is_in_recovery()' 2>/dev/null)" = t ]
}
follow() {
    rm -rf "$data"
    until pg_basebackup --host "$other" --username service --pgdata "$data" --write-recovery-conf --checkpoint fast; do
        rm -rf "$data"
        sleep 1
    done
}
if is_primary "$other"; then
    follow
elif [ ! -s "$data/PG_VERSION" ]; then
    if [ "{index}" = 0 ]; then
        create
    else
        follow
    fi
fi
watch() {
    misses=0
    while sleep 1; do
        if pg_isready --quiet --timeout 1 --host "$other"; then misses=0; else misses=$((misses + 1)); fi
        if [ "$misses" -ge 4 ] && [ -e "$data/standby.signal" ]; then pg_ctl promote --pgdata "$data"; fi
    done
}
watch &
exec postgres -D "$data"
