package web

import (
	"slices"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/say"
)

// sketch is a car unfolded: from above in the middle, its front upwards, the left side to the left of it. Places are
// thousandths of its width and height, as a damage has them.
type sketch struct {
	Panels []panel
	Marks  []dent
	Label  string // what it shows, for those who do not see it
	Live   bool   // static/inspect.js takes taps on it
}

// panel is one that can be told apart on the sketch.
type panel struct {
	Code, Word string
	Path       string
	Mirrored   bool // drawn as the one across from it
}

// dent is a damage on the sketch, and in the list beside it.
type dent struct {
	No               int // 0: an earlier one
	Part, What, Note string
	PartWord, Word   string
	X, Y             int32
	Old              bool
}

// shape is where a panel lies: its outline and a point well within it. Those on the right are the left ones mirrored.
type shape struct {
	code, path string
	x, y       int32
}

// shapes are the panels in the middle and on the left. What is not outside, such as the interior, has none.
func shapes() []shape {
	return []shape{
		{"bumper_front", "M340 100Q345 42 420 34Q500 27 580 34Q655 42 660 100L570 104L570 150Q500 142 430 150L430 104Z", 500, 80},
		{"headlight_l", "M340 107L424 111L424 150Q380 154 350 168Q338 140 340 107Z", 382, 130},
		{"hood", "M354 330Q342 240 368 178Q500 156 632 178Q658 240 646 330Q500 310 354 330Z", 500, 245},
		{"windscreen", "M358 338Q500 318 642 338L615 405Q500 392 385 405Z", 500, 365},
		{"roof", "M385 413Q500 400 615 413L620 590Q500 602 380 590Z", 500, 500},
		{"rear_window", "M380 598Q500 610 620 598L642 662Q500 682 358 662Z", 500, 638},
		{"trunk", "M354 670Q500 690 646 670Q656 740 632 800Q500 820 368 800Q344 740 354 670Z", 500, 750},
		{"taillight_l", "M340 878L424 874L424 835Q380 831 350 817Q338 845 340 878Z", 382, 855},
		{"bumper_rear", "M340 885Q345 943 420 951Q500 958 580 951Q655 943 660 885L570 881L570 835Q500 843 430 835L430 881Z", 500, 905},
		{"fender_fl", "M322 178Q240 168 165 186L165 190A62 62 0 0 1 165 310L165 328L322 328Z", 265, 250},
		{"door_fl", "M322 336L165 336L165 476L322 476Z", 235, 406},
		{"door_rl", "M322 484L165 484L165 614L322 614Z", 235, 550},
		{"quarter_rl", "M322 622L165 622L165 645A62 62 0 0 1 165 765L165 790Q240 812 322 800Z", 265, 710},
		{"sill_l", "M157 322L157 628L122 620L122 330Z", 140, 475},
		{"mirror_l", "M327 346Q350 338 351 366Q350 394 327 386Z", 339, 366},
		{"wheel_fl", "M95 250a54 54 0 1 0 108 0a54 54 0 1 0 -108 0Z", 149, 250},
		{"wheel_rl", "M95 705a54 54 0 1 0 108 0a54 54 0 1 0 -108 0Z", 149, 705},
	}
}

// across is the panel on the right that mirrors one on the left; "" for one in the middle.
func across(code string) string {
	switch n := len(code); {
	case n > 3 && (code[n-3:] == "_fl" || code[n-3:] == "_rl"), n > 2 && code[n-2:] == "_l":
		return code[:n-1] + "r"
	}
	return ""
}

// placeOf is a point well within a panel; ok is false for one that is not on the sketch.
func placeOf(code string) (x, y int32, ok bool) {
	for _, s := range shapes() {
		switch code {
		case s.code:
			return s.x, s.y, true
		case across(s.code):
			return 1000 - s.x, s.y, true
		}
	}
	return 0, 0, false
}

// sketch draws damages, now numbered as in their list, and those known before.
func (a *ask) sketch(now, before []*branchlinev1.Damage) sketch {
	out := sketch{Label: a.T("inspect.sketch")}
	for _, s := range shapes() {
		out.Panels = append(out.Panels, panel{Code: s.code, Word: a.Sayer().Code("panel", s.code), Path: s.path})
		if right := across(s.code); right != "" {
			out.Panels = append(out.Panels, panel{Code: right, Word: a.Sayer().Code("panel", right), Path: s.path, Mirrored: true})
		}
	}
	at := map[[2]int32]int32{} // marks at one place stand beside each other
	put := func(m dent) {
		if m.X == 0 && m.Y == 0 {
			var ok bool
			if m.X, m.Y, ok = placeOf(m.Part); !ok {
				return
			}
		}
		place := [2]int32{m.X, m.Y}
		m.X, at[place] = m.X+44*at[place], at[place]+1
		out.Marks = append(out.Marks, m)
	}
	for _, d := range before {
		m := a.dent(d)
		m.Old = true
		put(m)
	}
	for i, d := range now {
		m := a.dent(d)
		m.No = i + 1
		put(m)
	}
	return out
}

func (a *ask) dent(d *branchlinev1.Damage) dent {
	return dent{
		Part: d.GetPart(), What: d.GetWhat(), Note: d.GetNote(), X: d.GetX(), Y: d.GetY(),
		PartWord: a.Sayer().Code("panel", d.GetPart()), Word: a.Sayer().Code("damage", d.GetWhat()),
	}
}

// Mark is the kind as the sketch draws it: kinds that it has no sign of its own for are drawn as broken.
func (d dent) Mark() string {
	if slices.Contains(say.Codes("damage"), d.What) {
		return d.What
	}
	return "broken"
}
