# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Packs the Rust metadata of a Debian kernel as a package that completes its headers, and finds what
# is wrong with that on a machine.
#
# rustc needs every crate that libkernel.rmeta names, used or not, and loads the macros as
# libraries. All go to the folder of the headers, where the kernel's Makefile looks. Only
# target.json cannot: scripts/ there is a link to a folder shared by all flavours. So each package
# offers its own as an alternative (update-alternatives(1)).

# Follows the headers' version. Raise it when the packed files change.
readonly metadata_revision=+rust1

metadata_package() { echo "linux-headers-$1-rust"; } # RELEASE

# metadata_deb_path DIR: prints the path of the package for the kernel in $kdir
metadata_deb_path() {
	local name version
	name=$(metadata_package "$(<"$linux/release")")
	version=$(<"$linux/version")
	echo "$1/${name}_$version${metadata_revision}_$arch.deb"
}

# metadata_deb DIR: packs the metadata of the kernel in $kdir
metadata_deb() {
	local release version package tree=$run_dir/deb doc headers kbuild
	release=$(<"$linux/release")
	version=$(<"$linux/version")
	package=$(metadata_package "$release")
	doc=$tree/usr/share/doc/$package
	headers=/usr/src/linux-headers-$release
	kbuild=linux-kbuild-${release%-"$flavour"}
	umask 022
	mkdir -p "$tree/DEBIAN" "$tree$headers/rust" "$doc"
	metadata_copy "$tree$headers/rust"
	[[ ! -e $tree$headers/rust/target.json ]] ||
		metadata_alternative "$kbuild" "$headers/rust/target.json"
	metadata_copyright >"$doc/copyright"
	metadata_changelog | gzip -9n >"$doc/changelog.Debian.gz"
	metadata_control >"$tree/DEBIAN/control"
	(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
	in_root env SOURCE_DATE_EPOCH="$(metadata_date)" dpkg-deb --root-owner-group -Zxz -z1 \
		--build "$tree" "$(metadata_deb_path "$1")"
}

metadata_copy() { # DIR
	install -m 644 "$kdir"/rust/*.rmeta "$kdir"/rust/*.so "$1"
	# shellcheck disable=SC2016 # expanded by the shell inside
	in_root sh -c 'strip --strip-unneeded "$0"/*.so' "$1"
	[[ ! -e $kdir/scripts/target.json ]] || install -m 644 "$kdir/scripts/target.json" "$1"
}

# Prints when that kernel was packed, for reproducible packages.
metadata_date() { stat -c %Y "$linux/Module.symvers"; }

metadata_maintainer() { echo "${DEBFULLNAME:-workqueue-rs} <${DEBEMAIL:-root@$(uname -n)}>"; }

metadata_control() {
	cat <<END
Package: $package
Source: workqueue-rs
Version: $version$metadata_revision
Architecture: $arch
Maintainer: $(metadata_maintainer)
Installed-Size: $(du -sk "$tree/usr" | cut -f 1)
Depends: linux-headers-$release (= $version), rustc (= $(root_version rustc)), libc6
Recommends: bindgen
Section: kernel
Priority: optional
Description: Rust metadata for the headers of Linux $release
 Debian builds its kernels with CONFIG_RUST, and their headers lack what
 modules in Rust are compiled against. This package has it. Then
 .
  make -C /lib/modules/$release/build M=\$PWD
 .
 builds them with Debian's own compilers, and so does DKMS. It fits this
 version of the kernel and of rustc, and no other.
END
}

# root_version PACKAGE: prints its version in the root
# shellcheck disable=SC2016 # dpkg-query's own format
root_version() { in_root dpkg-query -f '${Version}' -W "$1"; }

metadata_copyright() {
	cat <<'END'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Linux
Comment: Compiled from Debian's package of Linux's source by Debian's rustc.

Files: *
Copyright: 1991-2026 Linus Torvalds and many others
License: GPL-2
 On Debian, the text of the licence is in /usr/share/common-licenses/GPL-2.
END
}

metadata_changelog() {
	cat <<END
workqueue-rs ($version$metadata_revision) unstable; urgency=medium

  * Rust metadata of linux $version.

 -- $(metadata_maintainer)  $(date -uRd "@$(metadata_date)")
END
}

# Writes the scripts that offer FILE as target.json of Debian's folder KBUILD.
metadata_alternative() { # KBUILD FILE
	maintainer_script postinst 'configure)' "update-alternatives --install" \
		"/usr/lib/$1/scripts/target.json $1-target.json $2 10"
	maintainer_script prerm 'remove | deconfigure)' "update-alternatives --remove" \
		"$1-target.json $2"
}

maintainer_script() { # NAME WHEN COMMAND...
	cat >"$tree/DEBIAN/$1" <<END
#!/bin/sh
set -e

case \$1 in
$2 ${*:3} ;;
esac
END
	chmod 755 "$tree/DEBIAN/$1"
}

# metadata_trouble RELEASE: prints the first problem that keeps this machine from building Rust
# modules for a Debian kernel, and its remedy
metadata_trouble() {
	local check trouble
	for check in headers_trouble running_trouble rmeta_trouble rustc_trouble; do
		trouble=$("$check" "$1" "/lib/modules/$1/build")
		[[ -z $trouble ]] || { echo "$trouble"; return; }
	done
}

headers_trouble() { # RELEASE KDIR
	[[ -e $2/include/config/auto.conf ]] ||
		echo "no headers of $1. As root: apt-get install linux-headers-$1"
}

# The running kernel may be an earlier version of the same name.
running_trouble() { # RELEASE KDIR
	local running headers
	[[ $1 == "$(uname -r)" ]] || return 0
	running=$(uname -v | sed -n 's/.* Debian \([^ ]*\) .*/\1/p')
	headers=$(installed_version "linux-headers-$1")
	[[ -z $running || -z $headers || $running == "$headers" ]] ||
		echo "$1 runs as $running, and its headers are $headers." \
			"As root: apt-get install linux-image-$1, and start it"
}

rmeta_trouble() { # RELEASE KDIR
	local headers metadata way_out="As root: scripts/rust-headers.sh --install $1"
	[[ -e $2/rust/libkernel.rmeta ]] || {
		echo "the headers of $1 lack the Rust metadata. $way_out"
		return
	}
	headers=$(installed_version "linux-headers-$1")
	metadata=$(installed_version "$(metadata_package "$1")")
	[[ -z $metadata || ${metadata%"$metadata_revision"} == "$headers" ]] ||
		echo "the headers of $1 are $headers, and their Rust metadata is for" \
			"${metadata%"$metadata_revision"}. $way_out"
}

# Another rustc may precede Debian's in PATH.
rustc_trouble() { # RELEASE KDIR
	local built_by rustc way_out="As root: apt-get install rustc"
	built_by=$(kdir_config "$2" RUSTC_VERSION_TEXT)
	rustc=$(rustc --version 2>/dev/null || true)
	[[ $rustc != "$built_by" ]] || return 0
	[[ $(/usr/bin/rustc --version 2>/dev/null) != "$built_by" ]] ||
		way_out="Debian's is that one: export PATH=/usr/bin:\$PATH"
	echo "$1 was built by \"$built_by\", and rustc is \"${rustc:-none}\": modules need the" \
		"very same. $way_out"
}

installed_version() { # PACKAGE
	dpkg-query -f '${db:Status-Status} ${Version}' -W "$1" 2>/dev/null |
		sed -n 's/^installed //p'
}
