package eval

import (
	_ "embed"
	"fmt"
	"html"
	"html/template"
	"io"
	"math"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"share": share, "points": points, "count": count, "percent": percent, "one": onePlace, "two": twoPlaces,
	"three": decimals, "mib": mebibytes, "interval": interval,
	"seconds": func(ms Figure) string { return fmt.Sprintf("%.2f s", float64(ms)/1e3) },
	"sum":     func(s Shares) float64 { return s.Prefixes + s.Finishers },
}).Parse(pageText))

// page is a report as its page shows it.
type page struct {
	*Report
	Style                     template.CSS
	Vote                      Mean
	Accuracy, Shares, KV, ROC template.HTML // plots; "" for none
	Policies                  []pagePolicy
	Live                      bool
	KVLegend, ROCLegend       []legend
}

// pagePolicy is a policy with its colour.
type pagePolicy struct {
	PolicyReport
	Label, Class string
}

// legend is a line of a plot's key.
type legend struct{ Class, Text string }

// colours is how many classes for series the style sheet has; the first is for
// none.
const colours = 8

func class(i int) string { return fmt.Sprintf("s%d", i%colours) }

// Page writes the report as one self-contained page with plots.
func (r *Report) Page(w io.Writer) error {
	p := page{Report: r, Style: template.CSS(plotStyle), Vote: r.vote(), Policies: r.pagePolicies()}
	classes := make(map[string]string)
	for _, q := range p.Policies {
		classes[q.Policy] = q.Class
		p.Live = p.Live || q.Live != nil
	}
	if len(r.Policies) > 0 {
		p.Accuracy = template.HTML(r.accuracyPlot(p.Policies).svg())
		p.Shares = template.HTML(r.sharesPlot(p.Policies))
	}
	if len(r.Memory) > 0 {
		p.KV = template.HTML(r.memoryPlot(classes))
		for _, m := range r.Memory {
			p.KVLegend = append(p.KVLegend, legend{classes[m.Policy], m.Policy})
		}
	}
	if r.Judging != nil && len(r.Judging.Judge.Curve) > 0 {
		p.ROC = template.HTML(r.rocPlot())
		p.ROCLegend = append(p.ROCLegend, legend{"s1", "judge, AUROC " + decimals(r.Judging.Judge.AUROC)})
		for i, b := range r.Judging.Baselines {
			p.ROCLegend = append(p.ROCLegend, legend{class(i + 2), b.Name + ", AUROC " + decimals(b.AUROC)})
		}
	}
	return pageTemplate.Execute(w, p)
}

func (r *Report) pagePolicies() []pagePolicy {
	list := make([]pagePolicy, len(r.Policies))
	for i := range r.Policies {
		list[i] = pagePolicy{r.Policies[i], r.Policies[i].label(), class(i)}
	}
	return list
}

// Plot writes the accuracy of each policy against its tokens as an SVG file that
// needs nothing else.
func (r *Report) Plot(w io.Writer) error {
	policies := r.pagePolicies()
	plot := r.accuracyPlot(policies)
	plot.key(policies)
	_, err := io.WriteString(w, plot.file())
	return err
}

// key names the policies in the corner at the lower right, which the curve of
// voting leaves empty.
func (p *plot) key(policies []pagePolicy) {
	const line, width = 20.0, 330.0
	x, y := plotWidth-plotRight-width, plotTop+plotInnerH-line*float64(len(policies))-6
	for _, q := range policies {
		fmt.Fprintf(&p.b, `<g class="%s"><circle class="dot" cx="%.1f" cy="%.1f" r="5"/></g>`, q.Class, x, y+7)
		p.text(x+12, y+11, "label", shorten(q.Label, 28))
		p.text(x+width-62, y+11, "label end", percent(q.Accuracy.Mean))
		p.text(x+width, y+11, "tick end", percent(q.WithJudge))
		y += line
	}
	y = plotTop + plotInnerH - line*float64(len(policies)) - 10
	p.text(x+width-62, y-2, "tick end", "accuracy")
	p.text(x+width, y-2, "tick end", "tokens")
}

// accuracyPlot is accuracy against tokens, the judge's included, over the curve of
// plain voting.
func (r *Report) accuracyPlot(policies []pagePolicy) *plot {
	low, high, least, most := 1.0, 0.0, math.Inf(1), 1.0
	take := func(m Mean, tokens float64) {
		if m.Mean.Known() && tokens > 0 {
			low, high = min(low, float64(m.Low)), max(high, float64(m.High))
			least, most = min(least, tokens), max(most, tokens)
		}
	}
	for _, v := range r.Voting {
		take(v.Accuracy, v.Tokens)
	}
	for _, q := range policies {
		take(q.Accuracy, q.Tokens.Total())
	}
	if high < low {
		low, high = 0, 1
	}
	low, high = math.Max(0, math.Floor(low*20-0.2)/20), math.Min(1, math.Ceil(high*20+0.2)/20)
	plot := newLogPlot("Accuracy against tokens", "tokens of a question, the judge's at their relative cost (logarithmic)", "accuracy", min(least, most)*0.85, most*1.12, low, high,
		count, func(v float64) string { return fmt.Sprintf("%.0f%%", 100*v) })
	var curve []xy
	for _, v := range r.Voting {
		curve = append(curve, xy{v.Tokens, float64(v.Accuracy.Mean)})
	}
	plot.line(curve, "s0 thin", "plain voting among the first traces")
	for i, v := range r.Voting {
		fmt.Fprintf(&plot.b, `<circle class="s0 small" cx="%.1f" cy="%.1f" r="2.5"><title>%d traces: %s</title></circle>`, plot.x(v.Tokens), plot.y(float64(v.Accuracy.Mean)), v.Traces, html.EscapeString(share(v.Accuracy)))
		if i < len(r.Voting)-1 && plot.x(v.Tokens)-plotLeft > 12 {
			plot.text(plot.x(v.Tokens), plot.y(float64(v.Accuracy.Mean))+16, "tick middle", fmt.Sprint(v.Traces))
		}
	}
	for _, q := range policies {
		if q.Accuracy.Mean.Known() && q.Tokens.Total() > 0 {
			plot.dot(xy{q.Tokens.Total(), float64(q.Accuracy.Mean)}, float64(q.Accuracy.Low), float64(q.Accuracy.High), q.Class,
				fmt.Sprintf("%s: %s with %s tokens", q.Label, share(q.Accuracy), count(q.Tokens.Total())))
		}
	}
	return plot
}

// sharesPlot is the tokens of each policy as a bar in three parts.
func (r *Report) sharesPlot(policies []pagePolicy) string {
	const rowHeight, left, right = 30.0, 200.0, 120.0
	most := 1.0
	for _, q := range policies {
		most = max(most, q.Tokens.Total())
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="Tokens by share">`, plotWidth, rowHeight*float64(len(policies))+8)
	for i, q := range policies {
		y := rowHeight*float64(i) + 4
		fmt.Fprintf(&b, `<text class="label end" x="%.0f" y="%.1f">%s</text>`, left-10, y+17, html.EscapeString(shorten(q.Label, 26)))
		x := left
		for _, part := range []struct {
			class, name string
			tokens      float64
		}{{"prefixes", "up to the checkpoint", q.Tokens.Prefixes}, {"finishers", "after it", q.Tokens.Finishers}, {"judge", "judge", q.Tokens.Judge}} {
			width := part.tokens / most * (plotWidth - left - right)
			if width > 0 {
				fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="22"><title>%s, %s: %s tokens</title></rect>`,
					part.class, x, y, max(width-1, 0.5), html.EscapeString(q.Label), part.name, count(part.tokens))
			}
			x += width
		}
		fmt.Fprintf(&b, `<text class="tick" x="%.1f" y="%.1f">%s (%s)</text>`, x+8, y+16, count(q.Tokens.Total()), percent(q.WithJudge))
	}
	return b.String() + "</svg>"
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// memoryPlot is the KV memory of the first question, alone, step by step.
func (r *Report) memoryPlot(classes map[string]string) string {
	steps, most := 1.0, 1.0
	for _, m := range r.Memory {
		for _, x := range m.Moments {
			steps, most = max(steps, float64(x.Step)), max(most, float64(x.Bytes))
		}
	}
	// A policy that runs one trace after the other would make all others thin.
	if none := r.Memory[0].Moments; len(none) > 0 {
		steps = min(steps, 1.5*float64(none[len(none)-1].Step))
	}
	unit, name := float64(1<<20), "MiB"
	if most < 2<<20 {
		unit, name = 1<<10, "KiB"
	}
	plot := newPlot("KV memory over time", "step", "KV in use, "+name, 0, steps, 0, most/unit*1.05, count,
		func(v float64) string { return fmt.Sprintf("%.4g", v) })
	for i := range r.Memory {
		m := &r.Memory[i]
		at := []xy{{0, 0}}
		for _, x := range m.Moments {
			if float64(x.Step) <= steps {
				at = append(at, xy{float64(x.Step), float64(x.Bytes) / unit})
			}
		}
		if last := at[len(at)-1]; len(at) == len(m.Moments)+1 {
			at = append(at, xy{last.x, 0})
		}
		if i == 0 {
			plot.area(at, classes[m.Policy])
		}
		plot.line(at, classes[m.Policy], m.Policy)
	}
	return plot.svg()
}

// rocPlot is how many pairs with different answers are recognised against how many
// with the same answer are missed.
func (r *Report) rocPlot() string {
	tenths := func(v float64) string { return fmt.Sprintf("%.0f%%", 100*v) }
	plot := newPlot("ROC of the judge", "pairs with the same answer that are missed (FNR)", "others that are recognised (TNR)", 0, 1, 0, 1, tenths, tenths)
	plot.line([]xy{{0, 0}, {1, 1}}, "chance", "chance")
	curve := func(s *Separation, class, name string) {
		var at []xy
		for _, p := range s.Curve {
			at = append(at, xy{p.FNR, p.TNR})
		}
		plot.line(at, class, name)
	}
	for i := range r.Judging.Baselines {
		b := &r.Judging.Baselines[i]
		curve(&b.Separation, class(i+2)+" thin", b.Name)
	}
	j := &r.Judging.Judge
	curve(j, "s1", "judge")
	for _, p := range []struct {
		at   Point
		name string
	}{{Point{0.2, float64(j.TNR), j.Threshold}, "FNR 20%"}, {j.At, "the threshold in use"}} {
		if !math.IsNaN(p.at.TNR) {
			plot.dot(xy{p.at.FNR, p.at.TNR}, p.at.TNR, p.at.TNR, "s1", fmt.Sprintf("%s (%s): %s recognised, %s missed", p.name, decimals(p.at.Threshold), percent(Figure(p.at.TNR)), percent(Figure(p.at.FNR))))
		}
	}
	return plot.svg()
}
