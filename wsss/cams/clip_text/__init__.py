from wsss.cams.clip_text.clip_text import ClipText as ClipText
