package match

import (
	"context"
	"fmt"
	"testing"
)

// What stands for nothing is no evidence, in a model that has never seen it either.
func TestRead_genericValuesSayNothing(t *testing.T) {
	fields := CustomerFields()
	c, err := comparisons(fields)
	if err != nil {
		t.Fatal(err)
	}
	for i, cells := range [][]string{
		{"客户", "先生", "测试", "测试客户", "测试1", "客户3", "老板", "test", "Test User 1", "xxx", "车主", "N/A", "某某", "女士"},
		nil,
		{"13800000000", "13800138000", "11111111111", "4008201234", "400-820-1234", "12345678901", "00000000", "95511", "123456", "18888888888"},
		{"0000", "1234", "xxxx", "****"},
		{"000000", "123456789", "无"},
		{"上海市", "浦东新区", "不详", "同上", "保密", "无"},
		{"test@test.com", "no@no.com", "无", "123456@qq.com", "a@a.com", "none"},
		{"1900-01-01", "1970-01-01", "0001-01-01"},
		{"未上牌", "新车", "临牌", "无", "京A00000"},
		{"11111111111111111", "12345678", "00000000", "无"},
	} {
		for _, cell := range cells {
			r := Record{ID: "1", Values: make([]string, len(fields))}
			r.Values[i] = cell
			for k, v := range read(c, fields, r).vals {
				if v.has {
					t.Errorf("%s %q is taken for evidence (%s)", fields[i].Column, cell, c[k].label)
				}
			}
		}
	}
	for i, cells := range map[int][]string{
		0: {"王先生", "张伟", "客如云科技有限公司", "Guest Anna", "test drive ltd"}, 2: {"13912345670", "021-39844682"}, 3: {"1235", "098X"},
		5: {"中山路1号", "上海市浦东新区张江路509号", "12 main st", "阳光花园3幢"}, 6: {"zhang@qq.com"}, 7: {"1971-01-01"}, 8: {"沪A12345", "粤B7742D"}, 9: {"LSVAM41A2EE000123"},
	} {
		for _, cell := range cells {
			r := Record{ID: "1", Values: make([]string, len(fields))}
			r.Values[i] = cell
			some := false
			for _, v := range read(c, fields, r).vals {
				some = some || v.has
			}
			if !some {
				t.Errorf("%s %q is no evidence", fields[i].Column, cell)
			}
		}
	}
}

// A company column is the customer where contacts stand beside it, and only an employer
// where people do.
func TestLearn_companyColumnOfEmployers(t *testing.T) {
	fields := []Field{{"name", Name}, {"phone", Phone}, {"id4", Last4}, {"works_at", Company}}
	d := newDice(11)
	firms := []string{"上海安康汽车租赁有限公司", "北京丰远运输有限公司", "Kedong Technology Ltd", "成都东海贸易有限公司"}
	var staff, contacts []Record
	for i := range 200 {
		name := string([]rune("王李张刘陈杨黄吴")[d.IntN(8)]) + string([]rune("伟芳娜敏静强磊军洋勇")[d.IntN(10)]) + string([]rune("明华平杰丽红飞宁")[d.IntN(8)])
		firm := firms[i%4]
		staff = append(staff, Record{fmt.Sprintf("s%03d", i), []string{name, fmt.Sprintf("139%08d", d.IntN(1e8)), fmt.Sprintf("%04d", d.IntN(1e4)), firm}})
		own := firm
		if d.hit(.6) {
			own = name
		}
		contacts = append(contacts, Record{fmt.Sprintf("c%03d", i), []string{own, fmt.Sprintf("1391234567%d", i%4), fmt.Sprintf("80%d1", i%4), firm}})
	}
	for _, x := range []struct {
		records  []Record
		employer bool
		least    int
		most     int
	}{{staff, true, 190, 200}, {contacts, false, 4, 8}} {
		m, err := Learn(context.Background(), fields, x.records)
		if err != nil {
			t.Fatal(err)
		}
		if m.employer() != x.employer {
			t.Errorf("the company column is an employer's: %v", m.employer())
		}
		cs, err := m.Cluster(context.Background(), x.records)
		if err != nil || len(cs) < x.least || len(cs) > x.most {
			t.Errorf("%d clusters, %d to %d were to be expected: %v", len(cs), x.least, x.most, err)
		}
	}
}
