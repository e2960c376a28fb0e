#!/bin/bash
# The embedded Postgres: makes its data where there is none, gives the roles the passwords of their
# Secrets, and becomes the server. It stands on what any Debian-based image of Postgres has.
set -eu -o pipefail
umask 077

folder=${ROADSTEAD_POSTGRES_FOLDER:-/data}
config=${ROADSTEAD_POSTGRES_CONFIG:-/etc/roadstead/postgres}
secrets=${ROADSTEAD_POSTGRES_SECRETS:-/etc/roadstead/ledger}
sockets=${ROADSTEAD_POSTGRES_SOCKETS:-/var/run/postgresql}
memory=${ROADSTEAD_POSTGRES_MEMORY_MIB:-512}
host=${ROADSTEAD_POSTGRES_HOST:?the name of the Service}
data=$folder/postgres
server=

refuse() {
  echo "start.sh: $*" >&2
  exit 1
}

# What the Secret of a role says its password is. As in any URL, % and two digits are one byte.
password_of() {
  local dsn
  dsn=$(<"$secrets/$1/dsn")
  [[ $dsn =~ ^postgres(ql)?://roadstead_$1:([^:@/?#]+)@([^:@/?#]+) ]] ||
    refuse "the $1's dsn must be postgresql://roadstead_$1:PASSWORD@$host:5432/roadstead?sslmode=disable, with what is not a letter or digit of the password as %XX"
  [[ ${BASH_REMATCH[3]} == "$host" || ${BASH_REMATCH[3]} == "$host".* ]] ||
    refuse "the $1's dsn names the host ${BASH_REMATCH[3]}, and this Postgres is $host: set postgres.embedded=false to use the other"
  local encoded=${BASH_REMATCH[2]//\\/\\\\}
  printf '%b' "${encoded//%/\\x}"
}

between() { # lowest highest wanted
  echo $(($3 < $1 ? $1 : $3 > $2 ? $2 : $3))
}

stop() {
  if [[ -n $server ]]; then
    kill -INT "$server" 2>/dev/null || true
    wait "$server" || true
    server=
  fi
}

check_version() {
  local image found
  [[ $(postgres --version) =~ \)\ ([0-9]+) ]] || refuse "no version in: $(postgres --version)"
  image=${BASH_REMATCH[1]}
  [[ -e $data ]] || return 0
  [[ -s $data/PG_VERSION ]] || refuse "$data holds no data of Postgres, and nothing is made where something is: move it away"
  found=$(<"$data/PG_VERSION")
  [[ $found == "$image" ]] ||
    refuse "the data is of Postgres $found and this image is Postgres $image, which can't read it. Nothing was changed. Set images.postgres to a $found again; to move to $image, dump and restore: docs/operations/ledger.md, \"A newer Postgres\""
}

# In a folder of its own until it is whole: one that was cut short is thrown away by the next.
initialise() {
  rm -rf "$data.new"
  [[ -e $data ]] && return
  initdb --pgdata="$data.new" --username=postgres --encoding=UTF8 --locale=C.UTF-8 \
    --data-checksums --auth-local=trust --auth-host=scram-sha-256 --no-instructions
  mv "$data.new" "$data"
}

# With nobody but us to reach it. Its log must not hold a password where a statement is slow or wrong.
make_roles() {
  local owner writer reader
  owner=$(password_of owner)
  writer=$(password_of writer)
  reader=$(password_of reader)
  postgres "${settings[@]}" -c listen_addresses= -c log_min_messages=fatal \
    -c log_min_error_statement=panic -c log_min_duration_statement=-1 &
  server=$!
  until pg_isready -q -h "$sockets"; do
    kill -0 "$server" 2>/dev/null || refuse "Postgres ended as it started; its log above says why"
    sleep 0.1
  done
  ROADSTEAD_OWNER_PASSWORD=$owner ROADSTEAD_WRITER_PASSWORD=$writer ROADSTEAD_READER_PASSWORD=$reader \
    psql -X -q -h "$sockets" -U postgres -d postgres -f "$config/roles.sql"
  stop
}

trap 'stop; exit 143' INT TERM
trap stop EXIT
check_version
initialise
# A volume that was mounted with another group may have become writable to it, which Postgres refuses.
chmod 0700 "$data"
settings=(
  -D "$data"
  -c "config_file=$config/postgresql.conf"
  -c "hba_file=$config/pg_hba.conf"
  -c "unix_socket_directories=$sockets"
  -c "shared_buffers=$(between 16 1024 $((memory / 4)))MB"
  -c "effective_cache_size=$(between 32 65536 $((memory / 2)))MB"
  -c "maintenance_work_mem=$(between 16 256 $((memory / 16)))MB"
)
make_roles
exec postgres "${settings[@]}"
