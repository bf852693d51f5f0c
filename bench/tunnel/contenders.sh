# shellcheck shell=sh
# The contenders: each contender_NAME starts a pair of processes between $near and
# $service, in the folder $work, and names them in $pids.
#
# All as a user has them: defaults of Debian's packages, with a secret, a certificate or a key made
# here. Sourced by scripts/bench-tunnel.
# shellcheck disable=SC2154 # duet, work and service are the caller's

contender_direct() {
    near=$service
    pids=
}

contender_duet() {
    "$duet" keygen -q -o "$work/duet.key" >/dev/null
    next_port && far=127.0.0.1:$port
    next_port && near=127.0.0.1:$port
    launch "$duet" server -q -k "$work/duet.key" --listen $far --target "$service"
    launch "$duet" client -q -k "$work/duet.key" --listen $near --target $far
}

contender_spiped() {
    head -c 32 /dev/urandom >"$work/spiped.key"
    next_port && far="[127.0.0.1]:$port"
    next_port && near=127.0.0.1:$port
    # By default it takes 100 connections at most.
    launch spiped -F -d -n 2000 -k "$work/spiped.key" -s "$far" -t "[127.0.0.1]:${service##*:}"
    launch spiped -F -e -n 2000 -k "$work/spiped.key" -s "[127.0.0.1]:$port" -t "$far"
}

# stunnel_pair FAR-LINES NEAR-LINES
stunnel_pair() {
    next_port && far=127.0.0.1:$port
    next_port && near=127.0.0.1:$port
    common="foreground = yes
pid =
debug = warning
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[tunnel]"
    printf '%s\naccept = %s\nconnect = %s\n%s\n' "$common" "$far" "$service" "$1" >"$work/far.$port.conf"
    printf '%s\nclient = yes\naccept = %s\nconnect = %s\n%s\n' \
        "$common" "$near" "$far" "$2" >"$work/near.$port.conf"
    launch "$stunnel" "$work/far.$port.conf"
    launch "$stunnel" "$work/near.$port.conf"
}

contender_stunnel_psk() {
    echo "duet:$(openssl rand -hex 32)" >"$work/psk"
    chmod 600 "$work/psk"
    secrets="ciphers = PSK
PSKsecrets = $work/psk"
    stunnel_pair "$secrets" "$secrets"
}

# As deployed on the Internet: the server presents a certificate, and the client verifies it; once, as
# the client resumes the session for the connections that follow.
contender_stunnel_cert() {
    certified ""
}

# A certificate and a key agreement for each connection.
contender_stunnel_each() {
    certified "sessionResume = no"
}

# certified NEAR-LINE
certified() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=tunnel \
        -keyout "$work/cert.key" -out "$work/cert.pem" 2>/dev/null
    stunnel_pair "cert = $work/cert.pem
key = $work/cert.key" "CAfile = $work/cert.pem
verifyChain = yes
$1"
}

contender_ssh() {
    ssh-keygen -q -t ed25519 -N '' -f "$work/host"
    ssh-keygen -q -t ed25519 -N '' -f "$work/user"
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    next_port && ssh_port=$port
    printf '%s\n' "Port $ssh_port" "ListenAddress 127.0.0.1" "HostKey $work/host" "PidFile none" \
        "AuthorizedKeysFile $work/user.pub" "StrictModes no" "UsePAM no" "PermitRootLogin yes" \
        "PasswordAuthentication no" >"$work/sshd.conf"
    launch /usr/sbin/sshd -D -f "$work/sshd.conf"
    await "127.0.0.1:$ssh_port"
    next_port && near=127.0.0.1:$port
    launch ssh -N -F none -i "$work/user" -p "$ssh_port" -L "$near:$service" \
        -c aes128-gcm@openssh.com -o ExitOnForwardFailure=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$(id -un)@127.0.0.1"
}

# Is what a contender takes there?
has_contender() {
    case $1 in
    direct | duet) ;;
    spiped) command -v spiped ;;
    stunnel_*) [ -n "$stunnel" ] ;;
    ssh) [ -x /usr/sbin/sshd ] && command -v ssh ;;
    *) false ;;
    esac >/dev/null
}
