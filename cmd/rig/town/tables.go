package town

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed data/family.txt
var familyText string

//go:embed data/given.txt
var givenText string

//go:embed data/cities.txt
var citiesText string

// tables are the names and places, read once a town.
type tables struct {
	family           []string
	familySums       []int
	given            []string
	maleSum, femSums []int
	cities           []city
}

type city struct {
	province, name, plate, letters, dial string
	areas                                []string
}

func readTables() (tables, error) {
	var t tables
	sum, male, female := 0, 0, 0
	for l := range strings.Lines(familyText) {
		name, w, _ := strings.Cut(strings.TrimSpace(l), " ")
		n, err := strconv.Atoi(w)
		if err != nil || n <= 0 {
			return t, fmt.Errorf("family names: %q: bad weight", l)
		}
		sum += n
		t.family = append(t.family, name)
		t.familySums = append(t.familySums, sum)
	}
	for l := range strings.Lines(givenText) {
		var c string
		var m, f int
		if _, err := fmt.Sscan(l, &c, &m, &f); err != nil {
			return t, fmt.Errorf("given names: %q: %w", l, err)
		}
		male += m
		female += f
		t.given = append(t.given, c)
		t.maleSum = append(t.maleSum, male)
		t.femSums = append(t.femSums, female)
	}
	for l := range strings.Lines(citiesText) {
		p := strings.Fields(l)
		if len(p) != 6 {
			return t, fmt.Errorf("cities: %q has %d parts instead of 6", l, len(p))
		}
		t.cities = append(t.cities, city{p[0], p[1], p[2], p[3], p[4], strings.Split(p[5], ",")})
	}
	return t, nil
}

func (c city) landline(d dice) string {
	n := 7
	if len(c.dial) == 3 || c.dial == "0755" || c.dial == "0512" || c.dial == "0571" || c.dial == "0757" {
		n = 8
	}
	s := c.dial + "-" + strconv.Itoa(2+d.IntN(7))
	for range n - 1 {
		s += strconv.Itoa(d.IntN(10))
	}
	return s
}

var streets = strings.Fields("世纪大道 人民路 中山路 解放路 建设路 和平路 长江路 黄河路 新华路 迎宾大道 学府路 文化路 花园路 胜利路 东风路 友谊路 滨河路 湖滨路 科技路 创业路 金桥路 云山路 兴业路 康宁路 锦绣路 明珠路")

var estates = strings.Fields("阳光花园 绿地新城 翠湖花园 锦绣家园 金色港湾 碧水湾 香榭丽舍 都市华庭 康桥半岛 御景园 明月苑 书香门第")
