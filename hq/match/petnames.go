package match

import (
	"slices"
	"strings"
)

// petNames are English given names that stand for one another, a family of them a
// line; a name may stand in several.
const petNames = `
william will bill billy willie liam wm
robert rob bob bobby robbie bert robt
richard rick dick richie rich ricky
thomas tom tommy thos
john jack johnny jon jno
james jim jimmy jamie jas
charles charlie chas chuck charley
edward ed eddie ted teddy ned edwd
henry harry hal hank
george geo georgie
joseph joe joey jos
samuel sam sammy saml
daniel dan danny danl
david dave davy
michael mike mick micky
matthew matt mat
benjamin ben benny benj
alexander alex alec sandy alick
andrew andy drew
anthony tony ant
albert al bert bertie
alfred alf fred alfie
frederick fred freddie fredk
francis frank fran
arthur art artie
christopher chris kit
nicholas nick nicky
peter pete
stephen steve steven
walter walt wally wat
ronald ron ronnie
donald don donnie
kenneth ken kenny
lawrence larry laurence
leonard len lenny leo
patrick pat paddy
philip phil phillip
raymond ray
reginald reg reggie
gerald gerry jerry
gregory greg
harold harry hal
herbert herb bert bertie
hugh hughie
isaac ike
jacob jake
jeffrey jeff geoffrey geoff
jonathan jon nathan
joshua josh
nathaniel nat nate nathan
oliver ollie noll
theodore ted teddy theo
timothy tim
vincent vince
zachary zach zac
elizabeth liz beth betty eliza lizzie bess bessie libby elsie lisa betsy
mary molly polly may mamie
margaret maggie meg peggy greta madge margie daisy
catherine kate kathy katherine kitty cathy katie kathleen
sarah sally sadie
anne ann annie anna nancy nan hannah
jane janet jenny jean
dorothy dot dolly dora dottie
eleanor ellen nell nellie nora helen
florence flo florrie
frances fanny fran
harriet hattie harriett
isabella bella isabel belle
jennifer jen jenny
jessica jess jessie
josephine jo josie
judith judy
lillian lily lil
louisa lou louise
martha patty mattie
matilda tilly maud
patricia pat patty trish
rebecca becky
rose rosie
susan sue susanna susannah susie
theresa terry tess
victoria vicky
virginia ginny
charlotte lottie carrie
caroline carrie carol
abigail abby gail
amelia milly emily
augusta gussie
emma em emmie
`

var petLines = func() map[string][]int {
	m := map[string][]int{}
	for i, l := range strings.Split(petNames, "\n") {
		for n := range strings.FieldsSeq(l) {
			m[n] = append(m[n], i)
		}
	}
	return m
}()

// petName tells whether two names stand for one another.
func petName(a, b string) bool {
	x := petLines[a]
	if x == nil {
		return false
	}
	for _, i := range petLines[b] {
		if slices.Contains(x, i) {
			return true
		}
	}
	return false
}
