package weights

import (
	"encoding/binary"
	"math"
	"strconv"
)

// ggufFormat is how a type of GGUF keeps its numbers: in blocks.
type ggufFormat struct {
	dtype          DType
	numbers, bytes uint64 // of a block
	decode         func(dst []float32, src []byte)
}

// ggufFormats are the types by their ids in the file. Those without decode can be
// skipped and not read.
var ggufFormats = map[uint32]ggufFormat{
	0:  {F32, 1, 4, decodeF32},
	1:  {F16, 1, 2, decodeF16},
	2:  {"Q4_0", 32, 18, decodeQ4_0},
	3:  {"Q4_1", 32, 20, decodeQ4_1},
	6:  {"Q5_0", 32, 22, decodeQ5_0},
	7:  {"Q5_1", 32, 24, decodeQ5_1},
	8:  {"Q8_0", 32, 34, decodeQ8_0},
	10: {"Q2_K", 256, 84, nil},
	11: {"Q3_K", 256, 110, nil},
	12: {"Q4_K", 256, 144, decodeQ4_K},
	13: {"Q5_K", 256, 176, decodeQ5_K},
	14: {"Q6_K", 256, 210, decodeQ6_K},
	24: {"I8", 1, 1, nil},
	25: {"I16", 1, 2, nil},
	26: {"I32", 1, 4, nil},
	27: {"I64", 1, 8, nil},
	28: {"F64", 1, 8, nil},
	30: {BF16, 1, 2, decodeBF16},
	39: {MXFP4, 32, 17, decodeMXFP4Rows},
}

// The products below are rounded to float32 before anything is added to them,
// whatever the processor could do in one: the numbers are those of the reference.

// decodeQ4_0 reads blocks of 32:
//
//	0         2                18
//	| d (F16) | 16 bytes q     |    x[i] = d·((q[i] & 15) - 8), x[i+16] = d·((q[i] >> 4) - 8)
func decodeQ4_0(dst []float32, src []byte) {
	for ; len(dst) >= 32; dst, src = dst[32:], src[18:] {
		d := float16At(src)
		for i, q := range src[2:18] {
			dst[i] = d * float32(int(q&15)-8)
			dst[i+16] = d * float32(int(q>>4)-8)
		}
	}
}

// decodeQ4_1 reads blocks of 32:
//
//	0         2         4                20
//	| d (F16) | m (F16) | 16 bytes q     |    x = d·q + m, in the order of Q4_0
func decodeQ4_1(dst []float32, src []byte) {
	for ; len(dst) >= 32; dst, src = dst[32:], src[20:] {
		d, m := float16At(src), float16At(src[2:])
		for i, q := range src[4:20] {
			dst[i] = float32(d*float32(q&15)) + m
			dst[i+16] = float32(d*float32(q>>4)) + m
		}
	}
}

// decodeQ5_0 reads blocks of 32:
//
//	0         2              6                22
//	| d (F16) | 32 bits high | 16 bytes low   |    x[i] = d·(low[i] + 16·high[i] - 16)
//
// The low four bits lie as in Q4_0.
func decodeQ5_0(dst []float32, src []byte) {
	for ; len(dst) >= 32; dst, src = dst[32:], src[22:] {
		d, high := float16At(src), binary.LittleEndian.Uint32(src[2:])
		for i, q := range src[6:22] {
			dst[i] = d * float32(int(q&15)+int(high>>i&1)<<4-16)
			dst[i+16] = d * float32(int(q>>4)+int(high>>(i+16)&1)<<4-16)
		}
	}
}

// decodeQ5_1 reads blocks of 32:
//
//	0         2         4              8                24
//	| d (F16) | m (F16) | 32 bits high | 16 bytes low   |    x[i] = d·(low[i] + 16·high[i]) + m
func decodeQ5_1(dst []float32, src []byte) {
	for ; len(dst) >= 32; dst, src = dst[32:], src[24:] {
		d, m, high := float16At(src), float16At(src[2:]), binary.LittleEndian.Uint32(src[4:])
		for i, q := range src[8:24] {
			dst[i] = float32(d*float32(int(q&15)+int(high>>i&1)<<4)) + m
			dst[i+16] = float32(d*float32(int(q>>4)+int(high>>(i+16)&1)<<4)) + m
		}
	}
}

// decodeQ8_0 reads blocks of 32:
//
//	0         2                34
//	| d (F16) | 32 signed q    |    x[i] = d·q[i]
func decodeQ8_0(dst []float32, src []byte) {
	for ; len(dst) >= 32; dst, src = dst[32:], src[34:] {
		d := float16At(src)
		for i, q := range src[2:34] {
			dst[i] = d * float32(int8(q))
		}
	}
}

// decodeQ4_K reads blocks of 256, which are 8 groups of 32 with a scale and a
// minimum of 6 bits each:
//
//	0         2           4               16            144
//	| d (F16) | min (F16) | 12 bytes s, m | 128 bytes q |
//
// Bytes 32j to 32j+31 of q are group 2j in their low halves and group 2j+1 in
// their high halves: x = d·s·q - min·m.
func decodeQ4_K(dst []float32, src []byte) {
	for ; len(dst) >= 256; dst, src = dst[256:], src[144:] {
		for group := range 8 {
			scale, shift := scaleK(src, group)
			out := dst[32*group:][:32]
			for i, q := range src[16+32*(group/2):][:32] {
				out[i] = float32(scale*float32(q>>(4*(group%2))&15)) - shift
			}
		}
	}
}

// decodeQ5_K reads blocks of 256, which are those of Q4_K with a fifth bit:
//
//	0         2           4               16                48              176
//	| d (F16) | min (F16) | 12 bytes s, m | 32 bytes high   | 128 bytes low |
//
// Bit g of high[i] belongs to element i of group g.
func decodeQ5_K(dst []float32, src []byte) {
	for ; len(dst) >= 256; dst, src = dst[256:], src[176:] {
		high := src[16:48]
		for group := range 8 {
			scale, shift := scaleK(src, group)
			out := dst[32*group:][:32]
			for i, q := range src[48+32*(group/2):][:32] {
				out[i] = float32(scale*float32(q>>(4*(group%2))&15|high[i]>>group&1<<4)) - shift
			}
		}
	}
}

// scaleK is d·s and min·m of a group of Q4_K or Q5_K. The twelve bytes hold s and
// m of the groups 0 to 3 in the low six bits of the first eight; those of the
// groups 4 to 7 have their low four bits in the halves of the last four, and their
// high two bits above s and m of the group four before.
func scaleK(block []byte, group int) (scale, shift float32) {
	packed := block[4:16]
	var s, m byte
	if group < 4 {
		s, m = packed[group]&63, packed[group+4]&63
	} else {
		s = packed[group+4]&15 | packed[group-4]>>6<<4
		m = packed[group+4]>>4 | packed[group]>>6<<4
	}
	return float16At(block) * float32(s), float16At(block[2:]) * float32(m)
}

// decodeQ6_K reads blocks of 256, which are two halves of four groups of 32, with
// a scale for every 16:
//
//	0                128              192           208       210
//	| 128 bytes low  | 64 bytes high  | 16 signed s | d (F16) |
//
// Of each half, element i of group g has its low four bits in low[i+32·(g%2)], in
// the half of the byte that g/2 says, and its high two bits in bits 2g of high[i]:
// x = d·s·(q-32).
func decodeQ6_K(dst []float32, src []byte) {
	for ; len(dst) >= 256; dst, src = dst[256:], src[210:] {
		d := float16At(src[208:])
		for half := range 2 {
			low, high, scales := src[64*half:][:64], src[128+32*half:][:32], src[192+8*half:][:8]
			for group := range 4 {
				out := dst[128*half+32*group:][:32]
				for i := range out {
					q := low[i+32*(group%2)]>>(4*(group/2))&15 | high[i]>>(2*group)&3<<4
					scale := d * float32(int8(scales[2*group+i/16]))
					out[i] = scale * float32(int(q)-32)
				}
			}
		}
	}
}

func float16At(src []byte) float32 { return float16Table()[binary.LittleEndian.Uint16(src)] }

// shortest is the float64 that is written as f is.
func shortest(f float32) float64 {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return float64(f)
	}
	v, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	if err != nil {
		return float64(f)
	}
	return v
}
