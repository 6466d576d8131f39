package sdk

import "iter"

// pages walks a listing page by page. Each page starts after the name of the
// last item of the one before.
func pages[T any](fetch func(after string) ([]T, bool, error), name func(T) string) iter.Seq2[T, error] {
	return pagesAfter("", fetch, name)
}

// pagesAfter is pages from the items on that come after a name.
func pagesAfter[T any](first string, fetch func(after string) ([]T, bool, error), name func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		after := first
		for {
			items, more, err := fetch(after)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
				after = name(item)
			}
			if !more || len(items) == 0 {
				return
			}
		}
	}
}

func convert[From, To any](items []From, one func(From) (To, error)) ([]To, error) {
	all := make([]To, 0, len(items))
	for _, item := range items {
		converted, err := one(item)
		if err != nil {
			return nil, err
		}
		all = append(all, converted)
	}
	return all, nil
}
