#!/bin/sh
# The first and only program of a test machine: makes a small system, runs the tests of /tests, a process each, and turns
# the machine off. What it tells xtask goes to the second serial port, a line a fact:
#   kernel RELEASE                    it is up
#   test CODE SECONDS WHO PROGRAM NAME    a test has ended; what it printed follows, each line behind a `|`
#   left WHAT                         something is still there that no test may leave
#   done COUNT                        so many tests have ended, and the machine turns itself off
# A test whose line is missing, or a missing `done`, is a failure: nothing is inferred from silence.
PATH=/bin
export PATH
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
  stty -F /dev/ttyS1 raw
  mkdir /run/tests "$CGROUPS"
  for file in /sys/fs/cgroup "$CGROUPS"; do
    echo "+cpu +memory +io +pids" >"$file/cgroup.subtree_control"
  done
}

# Says it in one piece, whoever else is saying something.
say() {
  until mkdir /run/saying 2>/dev/null; do usleep 5000; done
  cat >/dev/ttyS1
  rmdir /run/saying
}

# test WHO PROGRAM NAME: one test, in a cgroup of its own.
run_test() {
  cgroup=$CGROUPS/$1.$$ output=/run/tests/$$
  mkdir "$cgroup"
  if [ "$1" = user ]; then
    chown nobody "$cgroup" "$cgroup/cgroup.procs" "$cgroup/cgroup.threads" "$cgroup/cgroup.subtree_control"
    command="su -s /bin/sh nobody -c 'exec /tests/$2 --exact $3 --nocapture'"
  else
    # What a test needs is here: it may not excuse itself.
    command="exec env CI=true /tests/$2 --exact $3 --nocapture"
  fi
  read -r start _ </proc/uptime
  # The watch of timeout stays outside of the cgroup.
  cd /tmp && timeout -s KILL 90 sh -c "echo 0 >$cgroup/cgroup.procs && $command" </dev/null >"$output" 2>&1
  code=$?
  read -r end _ </proc/uptime
  tries=0
  until rmdir "$cgroup" 2>/dev/null; do
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

if [ "$1" = test ]; then
  shift
  run_test "$@"
  exit 0
fi
system
echo "kernel $(uname -r)" | say
export PINFOLD_FIXTURE=/tests/fixture PINFOLD_BIN=/tests/pinfold
xargs -n 3 -P 2 sh "$0" test </tests/list
leftovers
echo "done $(wc -l </tests/list)" | say
poweroff -f
