-- What retention took: events of block times before it may be gone, and so may those of entries of the block log up to that
-- one.
ALTER TABLE chains ADD COLUMN forgotten_before INTEGER;   -- NULL: nothing was forgotten
ALTER TABLE chains ADD COLUMN forgotten_seq INTEGER NOT NULL DEFAULT 0;
