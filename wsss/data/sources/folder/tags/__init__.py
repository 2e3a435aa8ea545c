"""Tags in the forms people have them: a file a form, from a file to rows of images and labels."""
