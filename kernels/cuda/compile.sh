#!/bin/sh
# Compiles src/*.cu into image/: PTX for compute capability 8.0, code for 9.0, and the
# hash of what they were made from.
#   compile.sh [check]     check: says only whether the image is current and compiles
# NVCC names the compiler.
set -eu
cd "$(dirname "$0")"
: "${NVCC:=nvcc}"
# nvcc's version is part of what the code is made from.
sum() {
	{ cat src/*.cu src/*.cuh compile.sh; "$NVCC" --version | grep release; } | sha256sum | cut -d' ' -f1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-std=c++17 -O3 --fmad=false --expt-relaxed-constexpr -Xptxas -warn-spills"
for source in src/*.cu; do
	name=$(basename "$source" .cu)
	"$NVCC" $flags -arch=compute_80 -ptx -o "$work/$name.ptx" "$source"
	"$NVCC" $flags -arch=sm_90a -cubin -o "$work/$name.cubin" "$source"
	# A driver for CUDA 12.3 reads version 8.3 of PTX; ptxas says whether this is it.
	sed -i 's/^\.version .*/.version 8.3/' "$work/$name.ptx"
	"$(dirname "$(command -v "$NVCC")")/ptxas" -arch=sm_80 -o "$work/sm_80" "$work/$name.ptx"
	gzip -9n "$work/$name.ptx" "$work/$name.cubin"
done
if [ "${1:-}" = check ]; then
	if [ "$(sum)" != "$(cat image/sources.sum)" ]; then
		echo "kernels/cuda/image is not made from kernels/cuda/src: run make cuda-kernels" >&2
		exit 1
	fi
	exit 0
fi
rm -f image/*.gz
cp "$work"/*.gz image/
sum >image/sources.sum
