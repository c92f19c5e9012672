#!/bin/sh
# Runs the tests of /tests, a process and a cgroup each, and turns the machine off. It is either the first program of the
# machine and makes a small system first, or a service of systemd (`init.sh service`), which makes the cgroups then. What it tells xtask goes to the second serial port, a line a fact:
#   kernel RELEASE      it is up
#   test CODE SECONDS WHO PROGRAM NAME
#                       a test has ended; what it printed follows, each line behind a `|`
#   left WHAT           something is still there that no test may leave
#   done COUNT          so many tests have ended, and the machine turns itself off
# A test whose line is missing, or a missing `done`, is a failure: nothing is inferred from silence.
PATH=/busybox:/bin
export PATH PLACE
CGROUPS=/sys/fs/cgroup/tests

system() {
  mount -t proc proc /proc
  mount -t sysfs sysfs /sys
  mount -t devtmpfs devtmpfs /dev
  mkdir -p /dev/pts /dev/shm
  mount -t devpts -o ptmxmode=666 devpts /dev/pts
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm
  mount -t tmpfs -o mode=1777 tmpfs /tmp
  mount -t tmpfs tmpfs /run
  mount -t securityfs securityfs /sys/kernel/security
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  ip link set lo up
  mkdir "$CGROUPS"
  for file in /sys/fs/cgroup "$CGROUPS"; do
    echo "+cpu +cpuset +memory +io +pids" >"$file/cgroup.subtree_control"
  done
}

# Says it in one piece, whoever else is saying something.
say() {
  until mkdir /run/saying 2>/dev/null; do usleep 5000; done
  cat >/dev/ttyS1
  rmdir /run/saying
}

# test WHO PROGRAM NAME: one test, in a cgroup of its own that it may divide.
run_test() {
  output=/run/tests/$$ unit=test-$$.scope
  test="/tests/$2 --exact $3 --nocapture"
  # What a test needs is there for root: it may not excuse itself.
  case $PLACE$1 in
    kernelroot)
      cgroup=$CGROUPS/$$
      mkdir "$cgroup"
      command="echo 0 >$cgroup/cgroup.procs && exec env CI=true PINFOLD_LIMITS=all $test"
      ;;
    kerneluser)
      cgroup=$CGROUPS/$$
      mkdir "$cgroup"
      chown user "$cgroup" "$cgroup/cgroup.procs" "$cgroup/cgroup.threads" "$cgroup/cgroup.subtree_control"
      command="echo 0 >$cgroup/cgroup.procs && exec su user -c 'exec $test'"
      ;;
    systemdroot)
      cgroup=/sys/fs/cgroup/system.slice/$unit
      command="exec systemd-run --quiet --scope --unit=$unit -p Delegate=yes env CI=true $test"
      ;;
    systemduser)
      cgroup=/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/$unit
      command="exec systemd-run --user --quiet --scope --unit=$unit -p Delegate=yes $test"
      command="exec su user -c 'XDG_RUNTIME_DIR=/run/user/1000 $command'"
      ;;
    systemdundelegated)
      # Where this script is, which is the system's; the tests look after the scopes that they are given.
      cgroup=/sys/fs/cgroup/none
      command="exec su user -c 'PINFOLD_SCOPE=all exec $test'"
      ;;
  esac
  read -r start _ </proc/uptime
  # The watch of timeout stays outside of the cgroup.
  cd /tmp && timeout -s KILL 400 sh -c "$command" </dev/null >"$output" 2>&1
  code=$?
  read -r end _ </proc/uptime
  tries=0
  # systemd removes its own.
  until [ ! -d "$cgroup" ] || { [ "$PLACE" = kernel ] && rmdir "$cgroup" 2>/dev/null; }; do
    tries=$((tries + 1))
    if [ $tries = 30 ]; then
      { echo "left behind in its cgroup:"; find "$cgroup" -type d; cat "$cgroup/cgroup.procs"; } >>"$output"
      [ $code != 0 ] || code=200
      break
    fi
    usleep 100000
  done
  {
    echo "test $code $(echo "$start $end" | awk '{ printf "%.2f", $2 - $1 }') $1 $2 $3"
    tail -c 20000 "$output" | sed 's/^/|/'
    echo
  } | say
  rm "$output"
}

# Everything that runs but this and the threads of the kernel must be gone in a moment.
leftovers() {
  tries=0
  while :; do
    left=
    # The list is made before the loop starts anything.
    for process in /proc/[0-9]*; do
      line=$({ tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null)
      if [ -n "$line" ] && [ "$process" != /proc/1 ]; then
        left="${left}left $process $line
"
      fi
    done
    tries=$((tries + 1))
    if [ -z "$left" ] || [ $tries = 30 ]; then
      break
    fi
    usleep 100000
  done
  printf '%s' "$left" | say
}

case $1 in
  test)
    shift
    run_test "$@"
    exit 0
    ;;
  service) PLACE=systemd ;;
  *)
    PLACE=kernel
    system
    ;;
esac
stty -F /dev/ttyS1 raw
mkdir /run/tests
if [ $PLACE = systemd ]; then
  echo "kernel $(uname -r), $(systemctl --version | sed -n 1p)" | say
else
  echo "kernel $(uname -r)" | say
fi
export PINFOLD_FIXTURE=/tests/fixture PINFOLD_BIN=/tests/pinfold
xargs -n 3 -P 2 sh "$0" test </tests/list
# systemd has programs of its own, and each scope was seen to be empty.
[ $PLACE = systemd ] || leftovers
echo "done $(wc -l </tests/list)" | say
poweroff -f
