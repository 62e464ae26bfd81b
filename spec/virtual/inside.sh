#!/bin/sh
# What the virtual machine of machine.sh is for, run by submitter-test.service in a control group that systemd delegated to it.
# Results go to the second serial line.
set -u
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 raw
cd /opt/submitter || exit 1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root TERM=dumb

echo "# $(uname -sr); $(grep cgroup2 /proc/mounts); own group $(cat /proc/self/cgroup)"

# An ordinary user with a systemd of his own, as one who has logged in.
useradd --create-home --shell /bin/sh grader
loginctl enable-linger grader
until [ -S "/run/user/$(id -u grader)/bus" ]; do sleep 0.2; done
cp -R /opt/submitter /home/grader/submitter
chown -R grader: /home/grader/submitter
as_grader() { # COMMAND: in his scope, as `make test` and `make demo` run there
    echo "runuser -l grader -c 'cd submitter && SUBMITTER_BUILD=build SUBMITTER_TEST_SLOWNESS=$SUBMITTER_TEST_SLOWNESS" \
        "spec/delegated.sh $1'"
}

set -- \
    'runner: build/test/test_runner' \
    'walls: build/test/test_walls' \
    'alone: build/test/test_alone' \
    'runner-rlimit: build/test/test_runner --accounting rlimit' \
    'runner-container: build/test/test_runner --accounting container' \
    'container: build/test/test_container' \
    'taken-over: build/submitter run spec/run.lua spec/core/walls_spec.lua' \
    'service: spec/virtual/service.sh' \
    "user-scope: $(as_grader 'spec/virtual/scope.sh')" \
    'attacks: build/submitter run spec/sandbox/run.lua' \
    "user-attacks: $(as_grader 'build/submitter run spec/sandbox/run.lua')"
count=$#
while [ "$count" -gt 0 ]; do
    suite=$1
    shift
    case " $SUITES " in *" all "* | *" ${suite%%:*} "*) set -- "$@" "$suite" ;; esac
    count=$((count - 1))
done
SUITE_SECONDS=1800 SUBMITTER_BUILD=/opt/submitter/build spec/suites.sh build/logs "$@"
