"""Layer specs and their vocabulary: shapes, layouts, slices, dtypes and parameters."""
