// Package mm reads how memory is managed: the page structures of physical pages
// and the areas of user address spaces, with the files behind them.
//
// It knows struct page, vm_area_struct and the paths of open files; it knows
// nothing of page-table entries (package kernel), of tasks or of text. Start
// from LoadPages and LoadAreas.
package mm
