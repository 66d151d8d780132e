package debuginfo

import "strings"

// baseSpellings are the names under which debug info may have a base type that
// C spells with these words in any order: gcc says "long unsigned int", clang
// "unsigned long".
func baseSpellings(words []string) []string {
	n := map[string]int{}
	for _, w := range words {
		n[w]++
	}
	joined := strings.Join(words, " ")
	sign := "signed"
	if n["unsigned"] > 0 {
		sign = "unsigned"
	}
	for w := range n {
		switch w {
		case "unsigned", "signed", "long", "short", "int", "char", "double", "float", "_Bool", "__int128":
		default:
			return []string{joined}
		}
	}
	list := []string{joined}
	switch {
	case n["char"] > 0 && n["signed"]+n["unsigned"] > 0:
		list = append(list, sign+" char")
	case n["short"] > 0:
		list = append(list, pick(sign, "short int", "short unsigned int"), pick(sign, "short", "unsigned short"))
	case n["long"] > 0 && n["double"] > 0:
		list = append(list, "long double")
	case n["long"] == 1:
		list = append(list, pick(sign, "long int", "long unsigned int"), pick(sign, "long", "unsigned long"))
	case n["long"] == 2:
		list = append(list, pick(sign, "long long int", "long long unsigned int"), pick(sign, "long long", "unsigned long long"))
	case n["__int128"] > 0:
		list = append(list, pick(sign, "__int128", "__int128 unsigned"), pick(sign, "__int128", "unsigned __int128"))
	case n["int"] > 0 || n["char"]+n["double"]+n["float"]+n["_Bool"] == 0:
		list = append(list, pick(sign, "int", "unsigned int"))
	}
	return list
}

func pick(sign, signed, unsigned string) string {
	if sign == "unsigned" {
		return unsigned
	}
	return signed
}
