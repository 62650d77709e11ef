# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Sourced by examples/run, tests/run and .ci/run: what has to be installed, by the system's own package manager, and only
# where it is missing. Works with the bash 3.2 of macOS.

say() { printf '== %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

package_manager() {
  local manager
  for manager in apt-get dnf apk pacman zypper brew; do
    if have "$manager"; then echo "$manager"; return; fi
  done
  echo none
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else fail "neither root nor sudo: this has to be run by somebody who may: $*"
  fi
}

# ---- is it there? ----------------------------------------------------------------------------------------------------

# Compiles, and does not merely exist: a half-installed compiler has no headers or no libc.
compiles() { # compiler flags...
  local folder rc=0
  folder=$(mktemp -d)
  printf '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n' >"$folder/try.c"
  "$@" "$folder/try.c" -o "$folder/try" >/dev/null 2>&1 </dev/null || rc=1
  rm -rf "$folder"
  return $rc
}

c_compiler() { # the one to use
  local compiler
  for compiler in ${CC:-} cc gcc clang; do
    if have "$compiler"; then echo "$compiler"; return; fi
  done
  echo cc
}

# Debian's wine64 alone puts nothing into PATH.
wine_program() { # name...
  local name folder
  for name in "$@"; do
    for folder in /usr/lib/wine /usr/libexec/wine; do
      if [ -x "$folder/$name" ]; then echo "$folder/$name"; return; fi
    done
    if have "$name"; then command -v "$name"; return; fi
  done
  return 1
}

is_there() { # feature
  case $1 in
    cc) compiles "$(c_compiler)" ;;
    cmake) have cmake ;;
    make) have ninja || have make ;;
    cmocka) printf '#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <setjmp.h>\n#include <cmocka.h>\n' |
              "$(c_compiler)" -E -x c $(brew_include) - >/dev/null 2>&1 ;;
    cxx) have g++ || have c++ ;;
    clang) compiles clang -fsanitize=address,undefined && compiles clang -fsanitize=thread ;;
    musl) compiles musl-gcc -static ;;
    mingw) compiles x86_64-w64-mingw32-gcc -static ;;
    mingwxx) have x86_64-w64-mingw32-g++ ;;
    wine) wine_program wine64 wine >/dev/null && wine_program wineserver64 wineserver >/dev/null ;;
    unpack) have dpkg-source ;;
    format) have clang-format ;;
    spin) have spin ;;
    cppcheck) have cppcheck ;;
    tidy) have run-clang-tidy ;;
    python) have python3 ;;
    debootstrap) have debootstrap ;;
    git) have git ;;
    gcovr) have gcovr && have gcov ;;
    docs) have doxygen && have python3 && have groff ;;
    neighbours) echo '#include <gmp.h>
#include <tommath.h>' | "$(c_compiler)" -E -x c - >/dev/null 2>&1 ;;
    *) fail "no such feature: $1" ;;
  esac
}

brew_include() { # keg folders are not searched by themselves everywhere
  if have brew; then echo "-I$(brew --prefix)/include"; fi
}

# ---- where it comes from ---------------------------------------------------------------------------------------------

packages_of() { # manager feature
  case $1:$2 in
    apt-get:cc) echo gcc libc6-dev ;;         apk:cc) echo gcc musl-dev linux-headers ;;
    *:cc) echo gcc ;;
    *:cmake) echo cmake ;;                    *:make) echo make ;;
    apt-get:cmocka) echo libcmocka-dev ;;     dnf:cmocka | zypper:cmocka) echo libcmocka-devel ;;
    apk:cmocka) echo cmocka-dev ;;            *:cmocka) echo cmocka ;;
    apt-get:cxx | apk:cxx) echo g++ ;;        dnf:cxx | zypper:cxx) echo gcc-c++ ;;
    *:cxx) echo gcc ;;
    apt-get:clang) echo clang "$(apt_known libclang-rt-dev)" ;;
    dnf:clang | apk:clang) echo clang compiler-rt ;;
    brew:clang) echo llvm ;;                  *:clang) echo clang ;;
    apt-get:musl) echo musl-tools linux-libc-dev ;;
    dnf:musl) echo musl-gcc musl-libc-static ;;
    pacman:musl) echo musl ;;
    apt-get:mingw) echo gcc-mingw-w64-x86-64-win32 ;;
    dnf:mingw) echo mingw64-gcc ;;            zypper:mingw) echo mingw64-cross-gcc ;;
    apk:mingw | pacman:mingw) echo mingw-w64-gcc ;;
    brew:mingw) echo mingw-w64 ;;
    apt-get:mingwxx) echo g++-mingw-w64-x86-64-win32 ;;
    dnf:mingwxx) echo mingw64-gcc-c++ ;;      zypper:mingwxx) echo mingw64-cross-gcc-c++ ;;
    apk:mingwxx | pacman:mingwxx) echo mingw-w64-gcc ;;
    brew:mingwxx) echo mingw-w64 ;;
    apt-get:wine) echo wine64 ;;              dnf:wine) echo wine-core ;;
    brew:wine) ;;                             *:wine) echo wine ;;
    apt-get:unpack) echo dpkg-dev xz-utils patch ;;
    dnf:format | zypper:format) echo clang-tools-extra ;;
    apk:format) echo clang-extra-tools ;;     pacman:format) echo clang ;;
    *:format) echo clang-format ;;
    pacman:python) echo python ;;             *:python) echo python3 ;;
    *:spin) echo spin ;;
    *:debootstrap) echo debootstrap ;;        *:git) echo git ;;
    *:cppcheck) echo cppcheck ;;
    *:gcovr) echo gcovr gcc ;;
    apt-get:tidy) echo clang-tidy ;;          *:tidy) echo clang-tools-extra ;;
    apt-get:docs) echo doxygen python3 groff-base ;;
    pacman:docs) echo doxygen python groff ;; *:docs) echo doxygen python3 groff ;;
    apt-get:neighbours) echo libgmp-dev libtommath-dev ;;
  esac
}

apt_known() { # a package that not every release has
  if apt-cache show "$1" >/dev/null 2>&1; then echo "$1"; fi
}

# apt's lists are renewed once a run, and only when something has to be installed: a fresh machine has none, or old ones.
apt_renew() {
  if [ -n "${MP_APT_RENEWED:-}" ]; then return; fi
  export MP_APT_RENEWED=1
  as_root apt-get -q -o DPkg::Lock::Timeout=300 update || say "apt-get update failed; going on with what is there"
}

apt_install() {
  local quiet="env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
  as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a # of an installation that was cut off
  as_root $quiet install --no-install-recommends "$@" && return
  say "once more, after repairing what is half installed"
  as_root $quiet --fix-broken install
  as_root $quiet install --no-install-recommends "$@"
}

install_packages() { # manager package...
  local manager=$1
  shift
  say "$manager: installing $*"
  case $manager in
    apt-get) apt_install "$@" ;;
    dnf) as_root dnf -y install "$@" ;;
    apk) as_root apk add "$@" ;;
    pacman) as_root pacman -Sy --noconfirm --needed "$@" ;;
    zypper) as_root zypper --non-interactive install "$@" ;;
    brew) brew install "$@" ;;
  esac </dev/null >&2
}

# need feature...: install those that are missing, all at once.
need() {
  local feature manager packages="" missing=""
  for feature in "$@"; do
    is_there "$feature" || missing="$missing $feature"
  done
  if [ -z "$missing" ]; then return; fi
  manager=$(package_manager)
  if [ "$manager" = none ]; then fail "missing:$missing; and no package manager that is known here to install it by"; fi
  if [ "$manager" = apt-get ]; then apt_renew >&2 </dev/null; fi
  for feature in $missing; do
    packages="$packages $(packages_of "$manager" "$feature")"
  done
  if [ -z "${packages// /}" ]; then fail "missing:$missing; $manager is not known to have it"; fi
  install_packages "$manager" $packages || fail "$manager could not install$packages"
  for feature in $missing; do
    is_there "$feature" || fail "$feature is still missing after installing$packages"
  done
}

# ---- cmocka's source, for compilers that no cmocka is packaged for ---------------------------------------------------------

# The distribution's own version of it. The system's list of sources is left alone: a copy that asks for source packages
# is made from it, for this one command.
cmocka_source() { # folder to keep it in; prints the path of cmocka.c
  local keep=$1 work
  if [ -n "${MP_CMOCKA_SOURCE:-}" ]; then echo "$MP_CMOCKA_SOURCE"; return; fi
  if [ ! -f "$keep/src/cmocka.c" ]; then
    [ "$(package_manager)" = apt-get ] || fail "set MP_CMOCKA_SOURCE=<path of cmocka.c in an unpacked cmocka>"
    need unpack
    work=$(mktemp -d)
    fetch_cmocka "$work" >&2 || fail "apt-get source cmocka did not work; MP_CMOCKA_SOURCE=<path of cmocka.c> helps, too"
    rm -rf "$keep"
    mv "$work"/cmocka-*/ "$keep" # whole or not at all
    rm -rf "$work"
  fi
  echo "$keep/src/cmocka.c"
}

fetch_cmocka() { # folder
  local work=$1 file
  mkdir -p "$work/parts" "$work/lists/partial"
  chmod 755 "$work"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [ -f "$file" ]; then
      sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" >"$work/parts/$(basename "$file")"
    fi
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$file" ]; then
      sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/parts/$(basename "$file")"
    fi
  done
  set -- -q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/parts" \
    -o "Dir::State::lists=$work/lists" -o APT::Sandbox::User=root -o Acquire::Retries=3
  apt-get "$@" update </dev/null || true # somebody else's archive may have no sources
  (cd "$work" && apt-get "$@" source cmocka </dev/null)
}

# ---- building --------------------------------------------------------------------------------------------------------

cpus() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

# configure folder cmake-arguments...: an old build folder is used again unless it belongs to another tree.
configure() {
  local folder=$1
  shift
  if [ -f "$folder/CMakeCache.txt" ] &&
     ! grep -qx "CMAKE_HOME_DIRECTORY:INTERNAL=$(pwd -P)" "$folder/CMakeCache.txt"; then
    rm -rf "$folder"
  fi
  if [ ! -f "$folder/CMakeCache.txt" ] && have ninja; then set -- -G Ninja "$@"; fi
  cmake -S . -B "$folder" "$@" </dev/null
}

build() { # folder targets...
  local folder=$1
  shift
  if [ $# -gt 0 ]; then set -- --target "$@"; fi
  cmake --build "$folder" -j "$(cpus)" "$@" </dev/null
}

# The kernel may place things where the sanitizers of older compilers have their shadow: what to run such a program by.
without_randomisation() {
  local bits
  bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)
  if [ "$bits" -gt 28 ] && setarch "$(uname -m)" -R true 2>/dev/null; then echo "setarch $(uname -m) -R"; fi
}
