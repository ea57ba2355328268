//go:build ignore

package main

// The products for AVX2 take half of a panel, 16 outputs, for up to four rows: there
// are half as many registers, of half the size. The high half of a panel begins 64
// bytes into each of its rows.

// half loads the two vectors of half a panel's row into two registers.
func half(p printer, bytes, reg int) {
	p("\tVMOVDQU %s(R10), Y%d", displaced(bytes), reg)
	p("\tVMOVDQU %d(R10), Y%d", bytes+32, reg+1)
	p("\tPREFETCHT0 %d(R10)", bytes+aheadBytes)
}

// constant fills a register with a word.
func constant(p printer, word uint32, reg int) {
	p("\tMOVL $%#x, R14", word)
	p("\tVMOVD R14, X%d", reg)
	p("\tVPBROADCASTD X%[1]d, Y%[1]d", reg)
}

// sum is the register of two that sums up row r.
func sum(r, i int) string { return ymm.reg(8 + 2*r + i) }

// scaledAVX2 is scaled for half a panel, whose scales lie so many bytes from where
// the pointer has come to.
func scaledAVX2(p printer, rows, bytes int) {
	for i := range 2 {
		p("\tVPMOVZXWD %s(R10), Y%d", displaced(bytes+16*i), i)
		p("\tVPSLLD $16, Y%[1]d, Y%[1]d", i)
	}
	for r := range rows {
		p("\tVBROADCASTSS %s, Y4", rowOfX(r, 0))
		for i := range 2 {
			p("\tVCVTDQ2PS %[1]s, %[1]s", sum(r, i))
			p("\tVMULPS Y%d, Y4, Y5", i)
			p("\tVFMADD213PS %s, %s, Y5", rowOfC(r, 32*i), sum(r, i))
			p("\tVMOVUPS Y5, %s", rowOfC(r, 32*i))
		}
	}
	next(p, rows, 8, 64)
}

// bf16AVX2 is bf16Wide.
var bf16AVX2 = product{
	function: "matmulBF16HalfAVX2", rows: 4, vector: ymm,
	prologue: func(p printer) { constant(p, 0xffff0000, 7) },
	body: func(p printer, v file, rows int) {
		inRegisters(p, v, rows, sum, "VXORPS", func() {
			half(p, 0, 2)
			for i := range 2 {
				p("\tVPSLLD $16, Y%d, Y%d", 2+i, i)
				p("\tVPAND Y%[1]d, Y7, Y%[1]d", 2+i)
			}
			for r := range rows {
				for k := range 2 {
					p("\tVBROADCASTSS %s, Y%d", rowOfX(r, 4*k), 4+k)
					p("\tVFMADD231PS Y%d, Y%d, %s", 2*k, 4+k, sum(r, 0))
					p("\tVFMADD231PS Y%d, Y%d, %s", 2*k+1, 4+k, sum(r, 1))
				}
			}
			next(p, rows, 8, panelBytes)
		})
	},
}

// int8AVX2 makes the weights signed and gives their signs to x, since a product of
// unsigned bytes of up to 255 and signed ones does not fit the 16 bits of
// VPMADDUBSW. The bias is then gone.
func int8AVX2(function string, scales int) product {
	return product{
		function: function, rows: 4, vector: ymm,
		prologue: func(p printer) {
			constant(p, 0x80808080, 6)
			constant(p, 0x00010001, 7)
		},
		body: func(p printer, v file, rows int) {
			const group, unrolled = 64, 4
			inMemory(p, v, rows, "VXORPS", func() {
				each(rows, func(r, i int) { p("\tVPXOR %[1]s, %[1]s, %[1]s", sum(r, i)) })
				inner(p, rows, group/4/unrolled, 4*unrolled, unrolled*panelBytes, func() {
					for k := range unrolled {
						half(p, k*panelBytes, 0)
						for i := range 2 {
							p("\tVPXOR Y%[1]d, Y6, Y%[1]d", i)
							p("\tVPABSB Y%d, Y%d", i, 2+i)
						}
						for r := range rows {
							p("\tVPBROADCASTD %s, Y4", rowOfX(r, 4*k))
							for i := range 2 {
								p("\tVPSIGNB Y%d, Y4, Y5", i)
								p("\tVPMADDUBSW Y5, Y%d, Y5", 2+i)
								p("\tVPMADDWD Y7, Y5, Y5")
								p("\tVPADDD Y5, %[1]s, %[1]s", sum(r, i))
							}
						}
					}
				})
				scaledAVX2(p, rows, scales)
			})
		},
	}
}

// int4AVX2 sums a group up in 16 bits: eight pairs of products of up to 15 and 127
// fit.
func int4AVX2(function string, scales int) product {
	return product{
		function: function, rows: 4, vector: ymm,
		prologue: func(p printer) {
			constant(p, 0x00010001, 6)
			constant(p, 0x0f0f0f0f, 7)
		},
		body: func(p printer, v file, rows int) {
			const group, unrolled = 32, 2
			inMemory(p, v, rows, "VXORPS", func() {
				each(rows, func(r, i int) { p("\tVPXOR %[1]s, %[1]s, %[1]s", sum(r, i)) })
				inner(p, rows, group/8/unrolled, 8*unrolled, unrolled*panelBytes, func() {
					for k := range unrolled {
						half(p, k*panelBytes, 0)
						for i := range 2 {
							p("\tVPSRLW $4, Y%d, Y%d", i, 2+i)
							p("\tVPAND Y%[1]d, Y7, Y%[1]d", i)
							p("\tVPAND Y%[1]d, Y7, Y%[1]d", 2+i)
						}
						for r := range rows {
							for high := range 2 {
								p("\tVPBROADCASTD %s, Y4", rowOfX(r, 8*k+4*high))
								for i := range 2 {
									p("\tVPMADDUBSW Y4, Y%d, Y5", 2*high+i)
									p("\tVPADDW Y5, %[1]s, %[1]s", sum(r, i))
								}
							}
						}
					}
				})
				for r := range rows {
					p("\tVPBROADCASTD %s, Y4", rowOfX(r, 4))
					for i := range 2 {
						p("\tVPMADDWD Y6, %[1]s, %[1]s", sum(r, i))
						p("\tVPADDD Y4, %[1]s, %[1]s", sum(r, i))
					}
				}
				scaledAVX2(p, rows, scales)
			})
		},
	}
}

var productsAVX2 = []product{
	bf16AVX2,
	int8AVX2("matmulInt8LowAVX2", 0), int8AVX2("matmulInt8HighAVX2", -32),
	int4AVX2("matmulInt4LowAVX2", 0), int4AVX2("matmulInt4HighAVX2", -32),
}
