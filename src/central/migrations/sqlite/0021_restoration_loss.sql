-- How many entries of the log a restored store lacks, by a checkpoint that was kept elsewhere; none
-- where no later one is known.
ALTER TABLE restoration ADD COLUMN lost INTEGER CHECK (lost > 0);
