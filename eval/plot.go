package eval

import (
	_ "embed"
	"fmt"
	"html"
	"math"
	"strings"
)

// plotStyle is the style sheet of plots, with a light and a dark theme and the
// classes of colours series.
//
//go:embed plot.css
var plotStyle string

// plot draws into an SVG of fixed size. Colours are classes of plotStyle.
//
//	left
//	|   +--------------+ top
//	|   | x0..x1       |
//	|   |       y0..y1 |
//	|   +--------------+ bottom
type plot struct {
	b              strings.Builder
	x0, x1, y0, y1 float64 // data at the edges
	xLog           bool    // x is on a logarithmic scale; x0 is above 0
}

const (
	plotWidth, plotHeight  = 640.0, 360.0
	plotLeft, plotRight    = 62.0, 16.0
	plotTop, plotBottom    = 14.0, 46.0
	plotInnerW, plotInnerH = plotWidth - plotLeft - plotRight, plotHeight - plotTop - plotBottom
)

// newPlot draws the frame of a plot. The formats write a tick.
func newPlot(title, xLabel, yLabel string, x0, x1, y0, y1 float64, xFormat, yFormat func(float64) string) *plot {
	if !(x1 > x0) {
		x1 = x0 + 1
	}
	if !(y1 > y0) {
		y1 = y0 + 1
	}
	p := &plot{x0: x0, x1: x1, y0: y0, y1: y1}
	p.frame(title, xLabel, yLabel, ticks(x0, x1, 6), xFormat, yFormat)
	return p
}

// newLogPlot draws the frame of a plot whose x is above 0 and on a logarithmic
// scale.
func newLogPlot(title, xLabel, yLabel string, x0, x1, y0, y1 float64, xFormat, yFormat func(float64) string) *plot {
	p := &plot{x0: x0, x1: x1, y0: y0, y1: y1, xLog: true}
	p.frame(title, xLabel, yLabel, logTicks(x0, x1), xFormat, yFormat)
	return p
}

func (p *plot) frame(title, xLabel, yLabel string, xTicks []float64, xFormat, yFormat func(float64) string) {
	fmt.Fprintf(&p.b, `<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">`, plotWidth, plotHeight, html.EscapeString(title))
	for _, t := range ticks(p.y0, p.y1, 5) {
		fmt.Fprintf(&p.b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, plotLeft, plotWidth-plotRight, p.y(t), p.y(t))
		p.text(plotLeft-8, p.y(t)+4, "tick end", yFormat(t))
	}
	for _, t := range xTicks {
		fmt.Fprintf(&p.b, `<line class="mark" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, p.x(t), p.x(t), plotTop+plotInnerH, plotTop+plotInnerH+4)
		p.text(p.x(t), plotTop+plotInnerH+18, "tick middle", xFormat(t))
	}
	fmt.Fprintf(&p.b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, plotLeft, plotWidth-plotRight, plotTop+plotInnerH, plotTop+plotInnerH)
	p.text(plotLeft+plotInnerW/2, plotHeight-8, "label middle", xLabel)
	fmt.Fprintf(&p.b, `<text class="label middle" transform="rotate(-90 14 %.1f)" x="14" y="%.1f">%s</text>`, plotTop+plotInnerH/2, plotTop+plotInnerH/2, html.EscapeString(yLabel))
}

func (p *plot) x(v float64) float64 {
	if p.xLog {
		return plotLeft + math.Log(v/p.x0)/math.Log(p.x1/p.x0)*plotInnerW
	}
	return plotLeft + (v-p.x0)/(p.x1-p.x0)*plotInnerW
}
func (p *plot) y(v float64) float64 {
	return plotTop + plotInnerH - (v-p.y0)/(p.y1-p.y0)*plotInnerH
}

// text writes at a place of the SVG.
func (p *plot) text(x, y float64, class, s string) {
	fmt.Fprintf(&p.b, `<text class="%s" x="%.1f" y="%.1f">%s</text>`, class, x, y, html.EscapeString(s))
}

// xy is a point of data.
type xy struct{ x, y float64 }

// path gives points as an SVG path.
func (p *plot) path(points []xy) string {
	var b strings.Builder
	for i, q := range points {
		command := 'L'
		if i == 0 {
			command = 'M'
		}
		fmt.Fprintf(&b, "%c%.1f %.1f", command, p.x(q.x), p.y(q.y))
	}
	return b.String()
}

func (p *plot) line(points []xy, class, title string) {
	fmt.Fprintf(&p.b, `<path class="line %s" d="%s"><title>%s</title></path>`, class, p.path(points), html.EscapeString(title))
}

// area fills what is below points.
func (p *plot) area(points []xy, class string) {
	if len(points) == 0 {
		return
	}
	closed := append([]xy{{points[0].x, p.y0}}, points...)
	closed = append(closed, xy{points[len(points)-1].x, p.y0})
	fmt.Fprintf(&p.b, `<path class="area %s" d="%sZ"/>`, class, p.path(closed))
}

// dot draws a point with an interval in y.
func (p *plot) dot(at xy, low, high float64, class, title string) {
	x := p.x(at.x)
	fmt.Fprintf(&p.b, `<g class="%s"><title>%s</title><path class="whisker" d="M%.1f %.1fV%.1fM%.1f %.1fH%.1fM%.1f %.1fH%.1f"/><circle class="dot" cx="%.1f" cy="%.1f" r="5"/></g>`,
		class, html.EscapeString(title), x, p.y(low), p.y(high), x-4, p.y(low), x+4, x-4, p.y(high), x+4, x, p.y(at.y))
}

// svg ends the plot, for a page with plotStyle.
func (p *plot) svg() string { return p.b.String() + "</svg>" }

// file ends the plot, as a file of its own.
func (p *plot) file() string {
	head, drawn, _ := strings.Cut(p.b.String(), ">")
	return fmt.Sprintf("%s xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"system-ui, sans-serif\">\n<style>\n%s</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"var(--card)\"/>\n%s</svg>\n",
		head, plotWidth, plotHeight, plotStyle, strings.ReplaceAll(drawn, "><", ">\n<"))
}

// logTicks are 1, 2 and 5 times the powers of ten from a to b, a above 0.
func logTicks(a, b float64) []float64 {
	var list []float64
	for power := math.Pow(10, math.Floor(math.Log10(a))); power <= b; power *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if t := m * power; a <= t && t <= b {
				list = append(list, t)
			}
		}
	}
	return list
}

// ticks are about n round numbers from a to b.
func ticks(a, b float64, n int) []float64 {
	step := math.Pow(10, math.Floor(math.Log10((b-a)/float64(n))))
	for _, m := range []float64{1, 2, 5, 10} {
		if (b-a)/(step*m) <= float64(n) {
			step *= m
			break
		}
	}
	var list []float64
	for i := math.Ceil(a/step - 1e-9); i*step <= b+step*1e-9; i++ {
		list = append(list, i*step+0) // no minus zero
	}
	return list
}
