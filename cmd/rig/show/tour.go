package show

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"branchline/cmd/rig"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Tour prints a walk of five minutes through the first branch: where to go, as whom, and what there is to see, by the
// plates and addresses of this very group. Without people, who are made once, it says how to see it again.
func Tour(ctx context.Context, w io.Writer, in Tongue, r *rig.Rig, people []Login) error {
	say := func(english, chinese string, args ...any) { fmt.Fprintln(w, in.Say(english, chinese, args...)) }
	if len(people) == 0 {
		say("\nThe people of this group were made when it was new. For the tour begin a new one: without --dir, or with an empty folder.",
			"\n这个集团的账号在第一次启动时已经发过。要看导览，请另起一个：不带 --dir，或换一个空文件夹。")
		return nil
	}
	home := people[0].Branch
	who := map[branchlinev1.Role]Login{}
	say("\nwho works at the first two branches (password, PIN for F2):", "\n前两家店的人（密码；F2 换人用的 PIN）：")
	for _, l := range people {
		if l.Branch == home {
			who[l.Role] = l
		}
		fmt.Fprintf(w, "  %-6s %-16s %-8s %-26s %s  %s\n", l.Branch, roleWord(in, l.Role), l.Account, l.Password, l.PIN, l.Name)
	}
	cars, err := floorOf(ctx, r, home)
	if err != nil {
		return err
	}
	url, adviser, mechanic, clerk := who[branchlinev1.Role_ROLE_ADVISER].URL, who[branchlinev1.Role_ROLE_ADVISER], who[branchlinev1.Role_ROLE_TECHNICIAN], who[branchlinev1.Role_ROLE_CLERK]
	page := func(c *branchlinev1.BoardCar, more string) string { return url + "/" + c.GetOrder() + more }
	say("\nA tour of five minutes:", "\n五分钟导览：")
	step := 0
	next := func(english, chinese string, args ...any) {
		step++
		fmt.Fprintf(w, "  %d. %s\n", step, in.Say(english, chinese, args...))
	}
	next("Sign in at %s as %s. Home says what waits for you; %s is late, and stands first.", "在 %s 用 %s 登录。首页是等你处理的事；%s 已经迟了，排在最前。", url, adviser.Account, cars.late.GetPlate())
	next("The board: %s. Open it on a second screen: it follows by itself.", "看板：%s。另开一屏，改动会自己过来。", url+"/board")
	next("Press /, type %s: a car by its plate; names by pinyin, VINs by their last six. Its page is the history of all branches.", "按 /，打 %s：按车牌找车；姓名可打拼音，VIN 打后六位。车的一页就是各店的全部历史。", cars.soon.GetPlate())
	next("Press N on the home page: take that car in by plate, kilometres and one line of complaint; P prints its job card.", "回首页按 N 接车：车牌、里程、一句话，就有了派工单；P 打印。")
	next("Extra work waits for a yes: %s. Say yes by word, or let the customer sign on the tablet.", "增项等客户答复：%s。口头同意记下谁、几点、哪个电话，也可以在平板上签字。", page(cars.extra, ""))
	next("Sign out, and in again as %s the technician: %s. Clock on and off, done, without prices and names. From now on F2 changes users by PIN (%s, %s).",
		"退出，用技师 %s 登录：%s。上钟、下钟、完工，看不到价格和姓名。以后在这台电脑上按 F2 输 PIN 就能换人（%s、%s）。", mechanic.Account, url+"/work", adviser.PIN, mechanic.PIN)
	next("Walk round a car with the tablet: %s", "用平板环车检查：%s", page(cars.soon, "/inspection"))
	next("Parts have come: %s lists whom to call.", "到件了：%s 列出该给谁打电话。", url+"/parts")
	next("%s the clerk settles a ready car: %s. S settles, then take the money by WeChat; %s closes the day.", "收银 %s 结算一辆可交的车：%s。按 S 结算，再收微信；%s 是日结。", clerk.Account, page(cars.ready, "/money"), url+"/till")
	next("An accident with its claim: %s. A comeback: %s.", "一辆事故车和它的理赔：%s。一辆返修车：%s。", page(cars.accident, ""), page(cars.comeback, ""))
	next("Type cut here and Enter: the branch loses headquarters and goes on working; join brings it back, and everything is sent.", "在这里打 cut 回车：这家店和总部断开，照常接车；打 join 恢复，存下的都送出去。")
	return nil
}

// cars of the first branch that a tour leads to.
type floorCars struct{ late, soon, extra, ready, accident, comeback *branchlinev1.BoardCar }

func floorOf(ctx context.Context, r *rig.Rig, b schema.BranchID) (floorCars, error) {
	c := access.Caller{Account: "tour", Staff: "tour", Roles: []branchlinev1.Role{access.Administrator(access.Node)}, Local: true}
	board, err := r.Site(b).Node().Server().API().Workshop.GetBoard(access.With(ctx, c), &branchlinev1.GetBoardRequest{})
	if err != nil {
		return floorCars{}, fmt.Errorf("show: board of %s: %w", b, err)
	}
	find := func(ok func(*branchlinev1.BoardCar) bool) *branchlinev1.BoardCar {
		for _, x := range board.GetCars() {
			if ok(x) {
				return x
			}
		}
		return nil
	}
	in := func(s branchlinev1.OrderState) func(*branchlinev1.BoardCar) bool {
		return func(x *branchlinev1.BoardCar) bool { return x.GetState() == s }
	}
	out := floorCars{
		late:     find(func(*branchlinev1.BoardCar) bool { return true }), // late ones come first
		soon:     find(in(branchlinev1.OrderState_APPROVED)),
		extra:    find(func(x *branchlinev1.BoardCar) bool { return x.GetExtra() > 0 }),
		ready:    find(in(branchlinev1.OrderState_READY)),
		accident: find(func(x *branchlinev1.BoardCar) bool { return x.GetAccident() }),
		comeback: find(func(x *branchlinev1.BoardCar) bool { return x.GetComeback() }),
	}
	// A town of very few customers has no such car: any other will do.
	for _, x := range []**branchlinev1.BoardCar{&out.late, &out.soon, &out.extra, &out.ready, &out.accident, &out.comeback} {
		*x = cmp.Or(*x, out.late, &branchlinev1.BoardCar{})
	}
	return out, nil
}

func roleWord(in Tongue, r branchlinev1.Role) string {
	switch r {
	case branchlinev1.Role_ROLE_BRANCH_MANAGER:
		return in.Say("manager", "店长")
	case branchlinev1.Role_ROLE_ADVISER:
		return in.Say("adviser", "服务顾问")
	case branchlinev1.Role_ROLE_TECHNICIAN:
		return in.Say("technician", "技师")
	default:
		return in.Say("clerk", "前台收银")
	}
}

// Obey reads what is typed, a word a line, until ctx or the input ends: cut takes the branch off headquarters, join gives
// it back. It says what it did to w.
func Obey(ctx context.Context, typed io.Reader, w io.Writer, in Tongue, s *rig.Site) {
	lines := make(chan string)
	go func() { // lives as long as the input: nothing ends a read from a terminal
		defer close(lines)
		for sc := bufio.NewScanner(typed); sc.Scan(); {
			select {
			case lines <- strings.ToLower(strings.TrimSpace(sc.Text())):
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case line, more := <-lines:
			switch {
			case !more:
				<-ctx.Done()
				return
			case line == "cut":
				s.Proxy().Cut()
				fmt.Fprintln(w, in.Say("%s is cut off.", "%s 店已经和总部断开。", s.Code))
			case line == "join":
				s.Proxy().Open()
				fmt.Fprintln(w, in.Say("%s is joined again.", "%s 店已经恢复。", s.Code))
			case line != "":
				fmt.Fprintln(w, in.Say("cut or join; Ctrl-C ends the demo.", "打 cut 断开，打 join 恢复；Ctrl-C 结束。"))
			}
		}
	}
}
