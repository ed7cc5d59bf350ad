//! Travel documents with a chip: the files of the logical data structure, and their inspection.
