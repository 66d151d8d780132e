// Package mm reads how memory is managed: the page structures of physical pages,
// who owns pages and on which lists they are, the areas of user address spaces and
// of vmalloc, nodes, zones and their counters.
//
// It knows nothing of page-table entries (package kernel), of objects (package
// slab), of tasks or of text. Start from LoadPages for single pages, LoadBuddy,
// LoadLRUs and LoadOwners for where they belong, LoadAreas for user space,
// LoadVMAreas for the kernel's, LoadNodes, LoadStats and LoadUsage for the system.
// Page frames are physical addresses divided by kernel.PageSize.
package mm
