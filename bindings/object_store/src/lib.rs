//! An `object_store` whose objects are sealed in another one.
